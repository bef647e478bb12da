import { proveStart } from './prove-start.js';
import { defineRecovery, requireSession } from './recovery.js';

/** Kills the VMM, confirms that it is dead, starts a new one. */
export const powerCycle = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    requireSession(attempt);
    await proveStart(attempt);
  },
  async act(attempt) {
    const { vm, driver, deadline } = attempt;
    await requireSession(attempt).stop('force', deadline.step());
    await driver.start(vm, deadline.step());
  },
});
