import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { MemoryChange } from '../../model/ports.js';
import { memoryToAdd } from '../vmm/memory-change.js';
import type { QemuMonitor } from './monitor.js';

const MIB = 1024 * 1024;

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
  const byMiB = memoryToAdd({ name, nowMiB, maxMiB: maxMemoryMiB(argv) }, change);
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

/** What the command line of the VMM says; undefined: it has no room. */
function maxMemoryMiB(argv: readonly string[]): number | undefined {
  const option = argv[argv.findIndex((arg) => /^--?m$/.test(arg)) + 1] ?? '';
  const [, count, unit = 'M'] = /(?:^|,)maxmem=(\d+)([MG]?)/i.exec(option) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * (unit.toUpperCase() === 'G' ? 1024 : 1);
}
