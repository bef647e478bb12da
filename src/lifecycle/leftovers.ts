import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { identify } from '../hypervisors/process.js';
import { readRecord } from '../hypervisors/vmm/record.js';
import type { VmId } from '../model/vm.js';

/** Something that nobody needs any more. */
export interface Leftover {
  readonly kind: 'vm-folder' | 'run-folder' | 'documents' | 'image';
  readonly path: string;
  readonly why: string;
}

/** What a look for leftovers found. */
export interface Leftovers {
  readonly leftovers: readonly Leftover[];
  /** What may be needed no more and is kept nevertheless, each with why, for a person. */
  readonly kept: readonly string[];
}

/** Folders of VMs that are not watched. One whose VMM runs is left alone: it would lose its sockets. */
export async function folderLeftovers(
  stateDir: string,
  runDir: string,
  isWatched: (vm: VmId) => boolean,
): Promise<Leftover[]> {
  const list: Leftover[] = [];
  for (const vm of await vmsUnder(join(runDir, 'vms'))) {
    const path = join(runDir, 'vms', vm);
    if (isWatched(vm) || (await livingVmm(path)) !== undefined) continue;
    list.push({
      kind: 'run-folder',
      path,
      why: `sockets and logs of ${vm}, which is not watched and does not run`,
    });
  }
  for (const vm of await vmsUnder(join(stateDir, 'vms'))) {
    const path = join(stateDir, 'vms', vm);
    if (isWatched(vm) || (await livingVmm(join(runDir, 'vms', vm))) !== undefined) continue;
    list.push({ kind: 'vm-folder', path, why: `state of ${vm}, which is not watched and does not run` });
  }
  return list;
}

/** Removes it, and the folder of its namespace where that is empty then. */
export async function removeLeftover({ path }: Leftover): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function livingVmm(runFolder: string): Promise<number | undefined> {
  const record = await readRecord(join(runFolder, 'vmm.pid'));
  if (record === undefined) return undefined;
  return identify(record.pid)?.startTimeTicks === record.startTimeTicks ? record.pid : undefined;
}

async function vmsUnder(path: string): Promise<VmId[]> {
  const folders = async (at: string) =>
    (await readdir(at, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory());
  const list: VmId[] = [];
  for (const namespace of await folders(path))
    for (const { name } of await folders(join(path, namespace.name))) list.push(`${namespace.name}/${name}`);
  return list;
}
