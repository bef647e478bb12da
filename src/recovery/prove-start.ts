import { VmpulseError } from '../model/errors.js';
import type { Attempt } from './recovery.js';

/** Throws ERR_VMPULSE_UNSUPPORTED for a VM that vmpulse does not know how to start. */
export function requireStartable({ vm, driver }: Attempt): void {
  if (driver.supports(vm, 'start')) return;
  const text = `${vm.id} cannot be started by vmpulse (driver ${driver.name})`;
  throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
}

/** Before anything that ends a VMM: a start must be possible. */
export async function proveStart(attempt: Attempt): Promise<void> {
  requireStartable(attempt);
  await attempt.proveStart();
}

/** Before a guest is ended that keeps its VMM: as above where vmpulse is who starts the VM. */
export async function proveStartIfOurs(attempt: Attempt): Promise<void> {
  if (attempt.driver.supports(attempt.vm, 'start')) await proveStart(attempt);
}
