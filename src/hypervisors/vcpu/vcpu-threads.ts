import { readdir, readFile } from 'node:fs/promises';
import type { VcpuReading, VcpuThread } from '../../model/vcpu.js';

/** Thread names of QEMU, Cloud Hypervisor and Firecracker. */
const VCPU_THREAD = /^(CPU \d+\/KVM|vcpu\d+|fc_vcpu \d+)$/;
const NS_PER_MS = 1_000_000;
const MAX_THREADS = 4_096;

/**
 * The vCPU threads of a process that runs its guest on KVM; undefined: none is known by its name. Emulated vCPUs
 * (`CPU n/TCG`) are left out: measured, their threads wake up at every tick whether the guest takes interrupts or not.
 */
export async function vcpuThreads(pid: number): Promise<VcpuReading | undefined> {
  const ids = await readdir(`/proc/${pid}/task`);
  const read = await Promise.all(ids.slice(0, MAX_THREADS).map((id) => readThread(pid, Number(id))));
  const threads = read.filter((thread) => thread !== undefined);
  return threads.length === 0 ? undefined : { source: 'threads', threads };
}

async function readThread(pid: number, tid: number): Promise<VcpuThread | undefined> {
  const folder = `/proc/${pid}/task/${tid}`;
  try {
    const name = (await readFile(`${folder}/comm`, 'latin1')).trimEnd();
    if (!VCPU_THREAD.test(name)) return undefined;
    const [schedule, status] = await Promise.all([
      readFile(`${folder}/schedstat`, 'latin1'),
      readFile(`${folder}/status`, 'latin1'),
    ]);
    const [ranNs = Number.NaN, waitedNs = Number.NaN] = schedule.split(' ').map(Number);
    const sleeps = Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1]);
    const busyMs = (ranNs + waitedNs) / NS_PER_MS;
    return Number.isFinite(busyMs) && Number.isFinite(sleeps) ? { tid, busyMs, sleeps } : undefined;
  } catch {
    // The thread has ended.
    return undefined;
  }
}
