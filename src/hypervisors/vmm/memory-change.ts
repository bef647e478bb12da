import { VmpulseError } from '../../model/errors.js';
import type { MemoryChange } from '../../model/ports.js';

/** Linux takes memory on x86 in blocks of this size. */
const BLOCK_MIB = 128;
/** Memory that can be added one after the other; each is a slot. */
export const MEMORY_SLOTS = 32;

export interface MemoryNow {
  /** Of the VM, for messages. */
  readonly name: string;
  readonly nowMiB: number;
  /** What it was started with room for; undefined: it has none. */
  readonly maxMiB: number | undefined;
}

/** How much is to be added to a running VM, MiB; 0: nothing. Throws ERR_VMPULSE_UNSUPPORTED for what it does not take. */
export function memoryToAdd({ name, nowMiB, maxMiB }: MemoryNow, change: MemoryChange): number {
  const byMiB = change.relative ? change.mib : change.mib - nowMiB;
  const refuse = (why: string) =>
    new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `${name} has ${nowMiB} MiB ${why}`);
  if (byMiB < 0) throw refuse('and cannot be made smaller while it runs; change memory and restart it');
  if (maxMiB === undefined)
    throw refuse('and was started without room for more; set maxMemory and restart it, or change memory');
  if (byMiB % BLOCK_MIB !== 0)
    throw refuse(`and takes more in blocks of ${BLOCK_MIB} MiB only, not ${byMiB} MiB; round it`);
  if (nowMiB + byMiB > maxMiB)
    throw refuse(`and can have at most ${maxMiB} MiB (maxMemory), not ${nowMiB + byMiB}`);
  return byMiB;
}
