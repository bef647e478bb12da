import { VmpulseError } from '../model/errors.js';
import type { Attempt } from './recovery.js';

const PROOF_MS = 10_000;

/** Before anything that ends a VMM: a start must be possible. */
export async function proveStart({ vm, driver, deadline }: Attempt): Promise<void> {
  if (!driver.supports(vm, 'start')) {
    const text = `${vm.id} cannot be started by vmpulse (driver ${driver.name}), so its VMM is not ended`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
  await driver.proveStart(vm, deadline.step(PROOF_MS));
}

/** Before a guest is ended that keeps its VMM: as above where vmpulse is who starts the VM. */
export async function proveStartIfOurs(attempt: Attempt): Promise<void> {
  if (attempt.driver.supports(attempt.vm, 'start')) await proveStart(attempt);
}
