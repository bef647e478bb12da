import type { DoctorHost } from './host.js';

/** Soft and hard limit; Infinity where there is none. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** A limit of this process, by its name in /proc/self/limits; undefined: the kernel does not say. */
export async function limitOf(host: DoctorHost, name: string): Promise<Limit | undefined> {
  const text = (await host.read('/proc/self/limits')) ?? '';
  const line = new RegExp(`^${name}\\s+(\\d+|unlimited)\\s+(\\d+|unlimited)\\s`, 'm').exec(text);
  if (line === null) return undefined;
  const number = (written = '') => (written === 'unlimited' ? Number.POSITIVE_INFINITY : Number(written));
  return { soft: number(line[1]), hard: number(line[2]) };
}

/** A limit for a person. */
export function limitText(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? 'unlimited' : String(limit);
}
