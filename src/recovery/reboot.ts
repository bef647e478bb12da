import { proveStartIfOurs } from './prove-start.js';
import { defineRecovery, requireSession } from './recovery.js';

/** Asks the guest to shut down in order and to boot again. */
export const reboot = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    requireSession(attempt);
    await proveStartIfOurs(attempt);
  },
  async act(attempt) {
    await requireSession(attempt).reboot(attempt.deadline.step());
  },
  untried: ['ERR_VMPULSE_UNSUPPORTED'],
});
