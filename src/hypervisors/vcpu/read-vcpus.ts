import { readlink } from 'node:fs/promises';
import type { Deadline } from '../../model/deadline.js';
import type { VcpuReading } from '../../model/vcpu.js';
import { deliversDirectly } from './direct-injection.js';
import { debugfsInjections } from './kvm-debugfs.js';
import { vcpuThreads } from './vcpu-threads.js';

/** What a driver knows of its vCPUs beside what the host tells; each is asked only where a better source is missing. */
export interface VcpuSources {
  /** Interrupts that KVM has injected, as the VMM tells; undefined: it does not. */
  readonly injections?: () => Promise<number | undefined>;
  /** Whether any vCPU takes interrupts right now. */
  readonly takesInterrupts?: () => Promise<boolean | undefined>;
}

/** Looks at the vCPUs through the best source that answers: counters of KVM, registers, threads. */
export async function readVcpus(
  pid: number,
  deadline: Deadline,
  sources: VcpuSources = {},
): Promise<VcpuReading | undefined> {
  if (!(await deadline.race(deliversDirectly()))) {
    const namespace = await deadline.race(readlink('/proc/self/ns/pid').catch(() => ''));
    const total =
      (await deadline.race(debugfsInjections(pid, namespace))) ??
      (await sources.injections?.().catch(() => undefined));
    if (total !== undefined) return { source: 'injections', total };
  }
  const takesInterrupts = await sources.takesInterrupts?.().catch(() => undefined);
  if (takesInterrupts !== undefined) return { source: 'registers', takesInterrupts };
  return deadline.race(vcpuThreads(pid).catch(() => undefined));
}
