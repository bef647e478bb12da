import { proveStart } from './prove-start.js';
import { defineRecovery } from './recovery.js';

/** Starts a VM that has no VMM. */
export const start = defineRecovery({
  endsGuest: false,
  prove: proveStart,
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
