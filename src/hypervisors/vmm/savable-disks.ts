import { VmpulseError } from '../../model/errors.js';
import type { DiskSpec } from '../../model/hypervisor.js';

/**
 * The writable disks of a VM, with their places among all of them, where the whole VM can be saved inside them. Throws
 * ERR_VMPULSE_UNSUPPORTED where one cannot hold a snapshot, or there is none.
 */
export function savableDisks(id: string, disks: readonly DiskSpec[]) {
  const writable = disks.flatMap((disk, index) => (disk.readOnly ? [] : [{ disk, index }]));
  const raw = writable.filter(({ disk }) => disk.format !== 'qcow2').map(({ disk }) => disk.name);
  if (writable.length > 0 && raw.length === 0) return writable;
  const why =
    raw.length > 0 ? `disk ${raw.join(', ')} is raw; convert it to qcow2` : 'it has no writable disk';
  throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `${id} cannot be saved inside its disks: ${why}`);
}
