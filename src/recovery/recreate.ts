import { proveStart } from './prove-start.js';
import { defineRecovery } from './recovery.js';

/** Ends the VMM if there is one and starts the VM as its documents say, with its disks, MAC and UUID. */
export const recreate = defineRecovery({
  endsGuest: true,
  async prove(attempt) {
    await proveStart(attempt);
  },
  async act({ vm, driver, endVmm, deadline }) {
    await endVmm('force');
    await driver.start(vm, deadline.step());
  },
});
