import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { MemoryChange } from '../../model/ports.js';
import type { QemuMonitor } from './monitor.js';

const MIB = 1024 * 1024;
/** Linux takes memory on x86 in blocks of this size. */
const BLOCK_MIB = 128;
/** Memory that can be added one after the other; each is a slot. */
export const MEMORY_SLOTS = 32;

const SUMMARY = z.object({ 'base-memory': z.int().min(0), 'plugged-memory': z.int().min(0).optional() });

/** Adds memory to a running VM as a DIMM, which its guest takes by ACPI. Gives what it then has, MiB. */
export async function resizeMemory(
  name: string,
  argv: readonly string[],
  monitor: QemuMonitor,
  change: MemoryChange,
  deadline: Deadline,
): Promise<number> {
  const nowMiB = await memoryMiB(monitor, deadline);
  const byMiB = change.relative ? change.mib : change.mib - nowMiB;
  assertPossible(name, nowMiB, byMiB, maxMemoryMiB(argv));
  if (byMiB === 0) return nowMiB;
  // Memory only grows, so that no two have the same name.
  const [backend, dimm] = [`vmpulse-memory-${nowMiB}`, `vmpulse-dimm-${nowMiB}`];
  const object = { 'qom-type': 'memory-backend-ram', id: backend, size: byMiB * MIB };
  await monitor.request('object-add', object, deadline);
  try {
    await monitor.request('device_add', { driver: 'pc-dimm', id: dimm, memdev: backend }, deadline);
  } catch (error) {
    await monitor.request('object-del', { id: backend }, deadline).catch(() => {});
    const text = `${name} does not take ${byMiB} MiB more: ${errorMessage(error)}`;
    throw new VmpulseError('ERR_VMPULSE_COMMAND', text, { cause: error });
  }
  return memoryMiB(monitor, deadline);
}

async function memoryMiB(monitor: QemuMonitor, deadline: Deadline): Promise<number> {
  const answer = SUMMARY.safeParse(await monitor.request('query-memory-size-summary', undefined, deadline));
  if (answer.success)
    return Math.round((answer.data['base-memory'] + (answer.data['plugged-memory'] ?? 0)) / MIB);
  throw new VmpulseError('ERR_VMPULSE_CHANNEL', 'the monitor did not say how much memory the VM has');
}

function assertPossible(name: string, nowMiB: number, byMiB: number, maxMiB: number | undefined): void {
  const refuse = (why: string) =>
    new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `${name} has ${nowMiB} MiB ${why}`);
  if (byMiB < 0) throw refuse('and cannot be made smaller while it runs; change memory and restart it');
  if (maxMiB === undefined)
    throw refuse('and was started without room for more; set maxMemory and restart it, or change memory');
  if (byMiB % BLOCK_MIB !== 0)
    throw refuse(`and takes more in blocks of ${BLOCK_MIB} MiB only, not ${byMiB} MiB; round it`);
  if (nowMiB + byMiB > maxMiB)
    throw refuse(`and can have at most ${maxMiB} MiB (maxMemory), not ${nowMiB + byMiB}`);
}

/** What the command line of the VMM says; undefined: it has no room. */
function maxMemoryMiB(argv: readonly string[]): number | undefined {
  const option = argv[argv.findIndex((arg) => /^--?m$/.test(arg)) + 1] ?? '';
  const [, count, unit = 'M'] = /(?:^|,)maxmem=(\d+)([MG]?)/i.exec(option) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * (unit.toUpperCase() === 'G' ? 1024 : 1);
}
