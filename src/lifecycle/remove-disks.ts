import { lstat, unlink } from 'node:fs/promises';
import type { VmSpec } from '../model/vm.js';

/**
 * Removes the files of the VM's writable disks, and resolves with their paths. Block devices, links, disks that are only
 * read, and those that another VM names stay.
 */
export async function removeDisks(vm: VmSpec, all: readonly VmSpec[]): Promise<string[]> {
  const others = all.filter(({ id }) => id !== vm.id);
  const shared = new Set(others.flatMap(({ hypervisor }) => hypervisor.disks.map(({ path }) => path)));
  const removed: string[] = [];
  for (const { path, readOnly } of vm.hypervisor.disks) {
    if (readOnly || shared.has(path)) continue;
    const found = await lstat(path).catch(ignoreMissing);
    if (!found?.isFile()) continue;
    await unlink(path);
    removed.push(path);
  }
  return removed;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
