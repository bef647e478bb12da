import { chmod, chown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Account, resolveAccount } from '../../kernel/users.js';
import { Deadline } from '../../model/deadline.js';
import type { CallOptions, StoragePort } from '../../model/ports.js';
import { runAsOf, type VmSpec } from '../../model/vm.js';
import { makeSeed } from './seed-iso.js';

/** Makes the disks of VMs that vmpulse itself makes. */
export const vmStorage: StoragePort = {
  async prepare(vm: VmSpec, options: CallOptions): Promise<void> {
    const { cloudInit, hypervisor } = vm;
    const seed = hypervisor.disks.at(-1);
    if (cloudInit === undefined || seed === undefined) return;
    await makeSeed(seed.path, cloudInit, new Deadline(`cloud-init disk of ${vm.id}`, options));
    const runAs = runAsOf(vm);
    if (runAs !== undefined) await showTo(await resolveAccount(runAs), seed.path);
  },
};

/** state directory / vms / namespace / name */
const FOLDERS_ABOVE = 4;

/** The account alone may read the file. The folders above let through whoever knows the way, and show nobody what is in them. */
async function showTo({ uid, gid }: Account, path: string): Promise<void> {
  await chown(path, uid, gid);
  await chmod(path, 0o400);
  let folder = path;
  for (let i = 0; i < FOLDERS_ABOVE; i++) {
    folder = dirname(folder);
    await chmod(folder, ((await stat(folder)).mode & 0o777) | 0o011);
  }
}
