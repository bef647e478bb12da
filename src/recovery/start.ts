import { requireStartable } from './prove-start.js';
import { defineRecovery } from './recovery.js';

/** Starts a VM that has no VMM. A driver's start proves that it is possible before it does anything. */
export const start = defineRecovery({
  endsGuest: false,
  async prove(attempt) {
    requireStartable(attempt);
  },
  async act({ vm, driver, deadline }) {
    await driver.start(vm, deadline.step());
  },
  untried: [
    'ERR_VMPULSE_VM_RUNNING',
    'ERR_VMPULSE_LOCKED',
    'ERR_VMPULSE_DISK_IN_USE',
    'ERR_VMPULSE_START_IMPOSSIBLE',
  ],
});
