import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VmpulseError } from '../model/errors.js';
import type { VmSpec } from '../model/vm.js';
import { defineRecovery, requireSession } from './recovery.js';

/** Less is as good as none: the guest would stop again at once. */
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Lets a guest go on that its VMM stopped because a disk was full, once there is space again. */
export const resume = defineRecovery({
  endsGuest: false,
  async prove(attempt) {
    requireSession(attempt);
    await proveSpace(attempt.vm);
  },
  async act(attempt) {
    await requireSession(attempt).resume(attempt.deadline.step());
  },
  untried: ['ERR_VMPULSE_UNSUPPORTED'],
});

async function proveSpace(vm: VmSpec): Promise<void> {
  for (const { path, readOnly } of vm.hypervisor.disks) {
    // How full a block device is only its owner knows; there the attempt tells.
    if (readOnly || (await stat(path)).isBlockDevice()) continue;
    const { bavail, bsize } = await statfs(dirname(path));
    if (bavail * bsize >= MIN_FREE_BYTES) continue;
    const text = `${path} of ${vm.id} lies where ${bavail * bsize} bytes are free; free at least ${MIN_FREE_BYTES}`;
    throw new VmpulseError('ERR_VMPULSE_NO_SPACE', text);
  }
}
