import { proveStart } from './prove-start.js';
import { defineRecovery, requireSession } from './recovery.js';

/** Ends the VMM, confirms that it is dead, starts a new one. */
export const powerCycle = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    requireSession(attempt);
    await proveStart(attempt);
  },
  async act(attempt) {
    const { vm, driver, deadline, action } = attempt;
    const session = requireSession(attempt);
    // A guest that is only cut off lives: it shuts down in order, in half of the time at most.
    if (action.diagnosis.cause === 'link-lost') {
      const graceMs = Math.min(vm.recovery.gracefulStopMs, action.timeoutMs / 2);
      await session.stop('graceful', deadline.step(graceMs));
    } else await session.stop('force', deadline.step());
    await driver.start(vm, deadline.step());
  },
});
