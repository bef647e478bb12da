import { proveStartIfOurs } from './prove-start.js';
import { defineRecovery, requireSession } from './recovery.js';

/** The reset button: the guest boots again, its VMM stays. */
export const reset = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    requireSession(attempt);
    await proveStartIfOurs(attempt);
  },
  async act(attempt) {
    await requireSession(attempt).reset(attempt.deadline.step());
  },
  untried: ['ERR_VMPULSE_UNSUPPORTED'],
});
