import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

/** MiB of a unit; two-letter units are those of 1024, as `+2GB` is meant. */
const UNITS: Readonly<Record<string, number>> = { m: 1, mi: 1, mb: 1, g: 1024, gi: 1024, gb: 1024 };

/** An amount of memory, `4GB` or (`relative`) `+512MB`. Throws ERR_VMPULSE_USAGE. */
export function readMemory(text: string): { readonly memoryMiB: number; readonly relative: boolean } {
  const [, sign = '', count = '', unit = ''] = /^(\+?)(\d{1,7})([a-z]{1,2})$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (factor === undefined || Number(count) === 0) {
    const message = `--memory ${plainText(text)} is no amount of memory; write one such as 4GB or +512MB`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', message);
  }
  return { memoryMiB: Number(count) * factor, relative: sign === '+' };
}
