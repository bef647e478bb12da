import type { Deadline } from '../../model/deadline.js';
import type { DiskSpec } from '../../model/hypervisor.js';
import { savableDisks } from '../vmm/savable-disks.js';
import { snapshotNames } from './qcow2.js';
import type { DomainRef } from './rpc/domain.js';
import type { Libvirt } from './rpc/libvirt.js';
import { escapeXml } from './xml.js';

/**
 * Saves memory, devices and every writable disk at one moment, as an internal snapshot of qcow2 images; the guest stands
 * still meanwhile, and runs on. Resolves with the disks' names. One of that name that is there already is taken for this
 * one, also of a domain before: libvirt would write over it. Throws ERR_VMPULSE_UNSUPPORTED for disks that cannot hold one.
 */
export async function snapshotDomain(
  libvirt: Libvirt,
  domain: DomainRef,
  {
    id,
    disks: all,
    name,
  }: { readonly id: string; readonly disks: readonly DiskSpec[]; readonly name: string },
  deadline: Deadline,
): Promise<string[]> {
  const disks = savableDisks(id, all).map(({ disk }) => disk);
  const saved = await Promise.all(disks.map(({ path }) => deadline.race(snapshotNames(path))));
  if (!saved.every((names) => names.includes(name)))
    await libvirt.snapshot(
      domain,
      `<domainsnapshot><name>${escapeXml(name)}</name></domainsnapshot>`,
      deadline,
    );
  return disks.map((disk) => disk.name);
}
