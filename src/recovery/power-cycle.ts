import type { DiagnosisKind } from '../model/health.js';
import { proveStart } from './prove-start.js';
import { type Attempt, defineRecovery, requireSession } from './recovery.js';

/** What is said of a guest that answers, though not as it should. */
const GUEST_LIVES: ReadonlySet<DiagnosisKind> = new Set(['service', 'resource', 'network']);

/** Ends the VMM, confirms that it is dead, starts a new one. */
export const powerCycle = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    requireSession(attempt);
    await proveStart(attempt);
  },
  async act(attempt) {
    const { vm, driver, deadline, action } = attempt;
    if (isInOrder(attempt)) {
      await attempt.endVmm('graceful', Math.min(vm.recovery.gracefulStopMs, action.timeoutMs / 2));
    } else await attempt.endVmm('force');
    await driver.start(vm, deadline.step());
  },
});

/**
 * A guest that lives shuts down in order, in half of the time at most: one that is only cut off, and one that its driver
 * could not reboot in order before it came to this.
 */
function isInOrder({ action: { diagnosis }, driver, vm }: Attempt): boolean {
  if (diagnosis.cause === 'link-lost') return true;
  return GUEST_LIVES.has(diagnosis.kind) && !driver.supports(vm, 'reboot');
}
