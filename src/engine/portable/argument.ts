import type { ZodError } from 'zod';
import { VmpulseError } from '../../model/errors.js';

/** Longest period, timeout or delay: 30 days. */
const MAX_MS = 30 * 24 * 3600 * 1000;

export function argumentError(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', message);
}

/** Checks a duration; `name` is named in the error. */
export function checkMs(name: string, ms: number, leastMs: number): number {
  if (Number.isFinite(ms) && ms >= leastMs && ms <= MAX_MS) return ms;
  throw argumentError(`${name} ${ms} is not between ${leastMs} and ${MAX_MS} (30 days)`);
}

/** Checks a count; `name` is named in the error. */
export function checkCount(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw argumentError(`${name} ${value} is not between 1 and ${most}`);
}

/** Checks what native reactors connect by. */
export function checkReactor(value: string | undefined): void {
  if (value === undefined || value === 'auto' || value === 'epoll') return;
  throw argumentError(`reactor "${value}" is neither 'auto' nor 'epoll'`);
}

/** The first thing that a schema found wrong: the field and why. */
export function firstIssue(error: ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'is not valid';
  const field = issue.path.map(String).join('.');
  return field === '' ? issue.message : `${field}: ${issue.message}`;
}
