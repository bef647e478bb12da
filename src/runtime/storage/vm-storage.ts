import { chmod, chown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Account, resolveAccount } from '../../kernel/users.js';
import { Deadline } from '../../model/deadline.js';
import type { CallOptions, StoragePort } from '../../model/ports.js';
import { runAsOf, type VmSpec } from '../../model/vm.js';
import { makeOverlay } from './overlay.js';
import { makeSeed } from './seed-iso.js';

/** Makes the disks of VMs that vmpulse itself makes. */
export function vmStorage(stateDir: string): StoragePort {
  return {
    async prepare(vm: VmSpec, options: CallOptions): Promise<void> {
      const { cloudInit, hypervisor } = vm;
      const runAs = runAsOf(vm);
      const account = runAs && (await resolveAccount(runAs));
      const isShown = account !== undefined || hypervisor.driver === 'libvirt';
      const deadline = new Deadline(`disks of ${vm.id}`, options);
      for (const disk of hypervisor.disks) {
        const { overlay } = disk;
        if (overlay === undefined) continue;
        const base = await makeOverlay({ ...disk, overlay }, stateDir, deadline);
        if (!isShown) continue;
        await showTo(account, disk.path, OWN_DISK);
        if (base !== undefined) await openWay(base, ABOVE_IMAGE);
      }
      const seed = hypervisor.disks.at(-1);
      if (cloudInit === undefined || seed === undefined) return;
      await makeSeed(seed.path, cloudInit, deadline);
      if (isShown) await showTo(account, seed.path, READ_ONLY);
    },
  };
}

const READ_ONLY = 0o400;
const OWN_DISK = 0o600;

/** state directory / vms or disks / namespace / name */
const ABOVE_DISK = 4;
/** state directory / images / files */
const ABOVE_IMAGE = 3;

/**
 * The account alone may use the file; undefined: whom libvirt gives it to when it starts its QEMU, until it ends. The folders
 * above let through whoever knows the way, and show nobody what is in them.
 */
async function showTo(account: Account | undefined, path: string, mode: number): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
  await chmod(path, mode);
  await openWay(path, ABOVE_DISK);
}

async function openWay(path: string, folders: number): Promise<void> {
  let folder = path;
  for (let i = 0; i < folders; i++) {
    folder = dirname(folder);
    await chmod(folder, ((await stat(folder)).mode & 0o777) | 0o011);
  }
}
