import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import type { VcpuSources } from '../vcpu/read-vcpus.js';
import type { QemuMonitor } from './monitor.js';

const STATS = z
  .array(
    z.object({
      stats: z.array(z.object({ name: z.string(), value: z.unknown() })).max(4_096),
    }),
  )
  .max(4_096);

/** Bit 9 of the flags register: the vCPU takes interrupts. */
const INTERRUPT_FLAG = 1n << 9n;

/** What QEMU tells of its vCPUs: KVM's counters where it runs on KVM (7.1 and later), and the registers. */
export function qemuVcpus(monitor: QemuMonitor, deadline: Deadline): VcpuSources {
  if (!monitor.channel.connected) return {};
  return {
    injections: async () => {
      const args = { target: 'vcpu', providers: [{ provider: 'kvm', names: ['irq_injections'] }] };
      return sumOfInjections(await monitor.request('query-stats', args, deadline));
    },
    takesInterrupts: async () => {
      const args = { 'command-line': 'info registers -a' };
      return anyTakesInterrupts(await monitor.request('human-monitor-command', args, deadline));
    },
  };
}

/** Sum of `irq_injections` in an answer to query-stats; undefined where it has none, as under emulation. */
export function sumOfInjections(answer: unknown): number | undefined {
  const read = STATS.safeParse(answer);
  if (!read.success) return undefined;
  const values = read.data.flatMap(({ stats }) =>
    stats.flatMap(({ name, value }) =>
      name === 'irq_injections' && typeof value === 'number' ? [value] : [],
    ),
  );
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/**
 * Whether a vCPU in the text of `info registers -a` has its interrupt flag set; undefined where the text is of another
 * processor family than x86. A vCPU that sleeps with the flag set waits for an interrupt, as an idle guest does.
 */
export function anyTakesInterrupts(text: unknown): boolean | undefined {
  if (typeof text !== 'string') return undefined;
  const flags = [...text.matchAll(/\b[ER]FL=([0-9a-f]{8,16})\b/g)].map(([, hex]) => BigInt(`0x${hex}`));
  return flags.length === 0 ? undefined : flags.some((value) => (value & INTERRUPT_FLAG) !== 0n);
}
