import type { GuestResources } from '../model/guest.js';

/** Ticks of all processors since the boot. */
export interface CpuTicks {
  readonly busy: number;
  readonly idle: number;
  readonly ioWait: number;
  readonly steal: number;
  readonly cpus: number;
}

/** Reads /proc/stat: user nice system idle iowait irq softirq steal. What a guest says may be anything. */
export function cpuTicksIn(text: string): CpuTicks | undefined {
  const line = /^cpu +([\d ]+)$/m.exec(text)?.[1];
  if (line === undefined) return undefined;
  const ticks = line.trim().split(/ +/).map(Number);
  if (ticks.length < 4 || ticks.some((each) => !Number.isSafeInteger(each))) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = ticks;
  const cpus = text.match(/^cpu\d+ /gm)?.length ?? 0;
  return { busy: user + nice + system + irq + softIrq, idle, ioWait, steal, cpus };
}

/** Shares of the time between two looks, percent. */
export function cpuShares(before: CpuTicks, after: CpuTicks): NonNullable<GuestResources['cpu']> {
  // iowait may go backwards (proc(5)); a share is never below 0.
  const spent = (of: (ticks: CpuTicks) => number) => Math.max(0, of(after) - of(before));
  const busy = spent((ticks) => ticks.busy);
  const ioWait = spent((ticks) => ticks.ioWait);
  const steal = spent((ticks) => ticks.steal);
  const all = Math.max(1, busy + ioWait + steal + spent((ticks) => ticks.idle));
  const percent = (part: number) => Math.round((part * 1000) / all) / 10;
  return { usedPercent: percent(busy), ioWaitPercent: percent(ioWait), stealPercent: percent(steal) };
}

/** Reads /proc/meminfo. */
export function memoryIn(text: string): GuestResources['memory'] {
  const field = (name: string): number | undefined => {
    const kib = new RegExp(`^${name}: +(\\d{1,12}) kB$`, 'm').exec(text)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  };
  const totalBytes = field('MemTotal');
  const availableBytes = field('MemAvailable') ?? field('MemFree');
  if (totalBytes === undefined || availableBytes === undefined || totalBytes === 0) return undefined;
  return {
    totalBytes,
    availableBytes: Math.min(totalBytes, availableBytes),
    swapTotalBytes: field('SwapTotal') ?? 0,
    swapFreeBytes: field('SwapFree') ?? 0,
  };
}

/** Reads /proc/loadavg. */
export function loadIn(text: string): GuestResources['load'] {
  const number = '(\\d{1,6}\\.\\d\\d)';
  const found = new RegExp(`^${number} ${number} ${number} \\d+/\\d+ \\d+$`, 'm').exec(text);
  return found === null ? undefined : [Number(found[1]), Number(found[2]), Number(found[3])];
}
