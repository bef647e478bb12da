import { lstat, rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissingFile } from '../model/errors.js';
import type { VmSpec } from '../model/vm.js';

/**
 * Removes the files of the VM's writable disks, and resolves with their paths. Block devices, links, disks that are only
 * read, and those that another VM names stay. The folder of disks that vmpulse has made goes with the last of them.
 */
export async function removeDisks(vm: VmSpec, all: readonly VmSpec[]): Promise<string[]> {
  const others = all.filter(({ id }) => id !== vm.id);
  const shared = new Set(others.flatMap(({ hypervisor }) => hypervisor.disks.map(({ path }) => path)));
  const removed: string[] = [];
  for (const { path, readOnly, overlay } of vm.hypervisor.disks) {
    if (readOnly || shared.has(path)) continue;
    const found = await lstat(path).catch(ignoreMissing);
    if (!found?.isFile()) continue;
    await unlink(path);
    removed.push(path);
    // vmpulse has made it; whatever else is in it keeps it.
    if (overlay !== undefined) await rmdir(dirname(path)).catch(() => {});
  }
  return removed;
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissingFile(error)) throw error;
  return undefined;
}
