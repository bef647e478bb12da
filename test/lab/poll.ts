import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again and again until a condition holds.
 *
 * @param what named in the error
 * @param ask returns the value, or `undefined` (or throws) while there is none
 * @throws when the deadline passes, with the last error as its cause
 */
export async function poll<T>(
  what: string,
  deadlineMs: number,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  let cause: unknown;
  do {
    try {
      const value = await ask();
      if (value !== undefined) return value;
    } catch (error) {
      cause = error;
    }
    await delay(50);
  } while (Date.now() < until);
  throw new Error(`${what}: not within ${deadlineMs} ms`, { cause });
}
