import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/duration.js';
import { parseQuantity } from '../config/quantity.js';

// Each reads what an option was given. What does not fit ends as ERR_VMPULSE_USAGE, which names the option and the text.

/** A time in milliseconds, more than none. */
export function parseTime(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('It is no time; write for example 500ms, 10m or 1h30m');
}

/** An amount in bytes, more than none. */
export function parseBytes(text: string): number {
  const bytes = parseQuantity(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new InvalidArgumentError('It is no amount; write for example 512Mi or 64Gi');
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}`);
  };
}

/** A whole number from `min` to `max`, or a range of such: `7` or `1..100`. */
export function wholeRange(min: number, max: number): (text: string) => readonly [from: number, to: number] {
  return (text) => {
    const match = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match && from >= min && from <= to && to <= max) return [from, to];
    throw new InvalidArgumentError(
      `Write a whole number from ${min} to ${max}, or a range such as ${min}..${max}`,
    );
  };
}

export function trueOrFalse(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('Write true or false');
}

/** One more value of an option that may be repeated. */
export function oneMore(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
