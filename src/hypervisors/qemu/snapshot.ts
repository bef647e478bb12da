import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { savableDisks } from '../vmm/savable-disks.js';
import type { QemuMonitor } from './monitor.js';
import type { QemuVm } from './qemu-vm.js';

const POLL_MS = 100;
const JOBS = z.array(z.object({ id: z.string(), status: z.string(), error: z.string().optional() }));
const NODES = z.array(
  z.object({
    'node-name': z.string().optional(),
    image: z.object({ snapshots: z.array(z.object({ name: z.string() })).optional() }),
  }),
);

/**
 * Saves memory, devices and every writable disk at one moment, as an internal snapshot of qcow2 images: a QEMU job, which
 * goes on when vmpulse dies, and lets the guest run on when it is done. Resolves with the disks' names. A snapshot of
 * that name that is there already is taken for this one. Throws ERR_VMPULSE_UNSUPPORTED for disks that cannot hold one.
 */
export async function snapshotGuest(
  monitor: QemuMonitor,
  vm: QemuVm,
  name: string,
  deadline: Deadline,
): Promise<string[]> {
  const disks = savableDisks(vm.id, vm.hypervisor.disks);
  const names = disks.map(({ disk }) => disk.name);
  const nodes = disks.map(({ index }) => `disk${index}`);
  if (await isThere(monitor, nodes, name, deadline)) return names;
  const job = `vmpulse-${name}`;
  if ((await jobOf(monitor, job, deadline)) === undefined) {
    const args = { 'job-id': job, tag: name, vmstate: nodes[0], devices: nodes };
    await monitor.request('snapshot-save', args, deadline);
  }
  const ended = await deadline.until(POLL_MS, async () => {
    const found = await jobOf(monitor, job, deadline);
    return found === undefined || found.status === 'concluded' ? (found ?? { error: undefined }) : undefined;
  });
  await monitor.request('job-dismiss', { id: job }, deadline).catch(() => {});
  if (ended.error === undefined) return names;
  throw new VmpulseError('ERR_VMPULSE_COMMAND', `${vm.id} was not saved: ${plainText(ended.error, 500)}`);
}

async function jobOf(monitor: QemuMonitor, id: string, deadline: Deadline) {
  return JOBS.parse(await monitor.request('query-jobs', undefined, deadline)).find((job) => job.id === id);
}

async function isThere(
  monitor: QemuMonitor,
  nodes: readonly string[],
  name: string,
  deadline: Deadline,
): Promise<boolean> {
  const known = NODES.parse(await monitor.request('query-named-block-nodes', { flat: true }, deadline));
  return nodes.every((node) =>
    known
      .find((each) => each['node-name'] === node)
      ?.image.snapshots?.some((snapshot) => snapshot.name === name),
  );
}
