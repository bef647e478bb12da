import { defineRecovery, requireSession } from './recovery.js';

/** SIGCONT for a VMM that somebody stopped. The guest goes on where it was. */
export const continueProcess = defineRecovery({
  endsGuest: false,
  async prove(attempt) {
    requireSession(attempt);
  },
  async act(attempt) {
    await requireSession(attempt).continueProcess(attempt.deadline.step());
  },
});
