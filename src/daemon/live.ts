import type { DaemonConfig } from '../config/index.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../model/errors.js';

/** New settings of a part, looked at and opened, but not in use yet. One of both is called, once. */
export interface Prepared {
  /** Uses them from now on. Must not fail. */
  commit(): void | Promise<void>;
  /** Lets go of what was opened for them; all is as before. Must not fail. */
  discard(): void | Promise<void>;
}

/** A part of the daemon that takes new settings while it runs. */
export interface LivePart {
  /** Rejects with what prepare() would, as far as that can be known without an effect. */
  check(config: DaemonConfig): Promise<void>;
  /** Does all that can fail. Rejects where the settings cannot be used; nothing has changed then. */
  prepare(config: DaemonConfig): Promise<Prepared>;
}

/** A part whose settings can only be taken. */
export function alwaysTaken(take: (config: DaemonConfig) => void): LivePart {
  return {
    check: async () => {},
    prepare: async (config) => ({ commit: () => take(config), discard: () => {} }),
  };
}

/** The first settings of a part. */
export async function begin(part: LivePart, config: DaemonConfig): Promise<void> {
  const prepared = await part.prepare(config);
  await prepared.commit();
}

/** All of them, or none. */
export async function prepareAll(parts: readonly LivePart[], config: DaemonConfig): Promise<Prepared> {
  const prepared: Prepared[] = [];
  const discard = async () => {
    for (const each of prepared.toReversed()) await each.discard();
  };
  try {
    for (const part of parts) prepared.push(await part.prepare(config));
  } catch (error) {
    await discard();
    throw error;
  }
  const commit = async () => {
    for (const each of prepared) await each.commit();
  };
  return { commit, discard };
}

/** Looks at all of them. Throws what is wrong, of several the first with the text of all. */
export async function checkAll(parts: readonly LivePart[], config: DaemonConfig): Promise<void> {
  const looks = await Promise.allSettled(parts.map((part) => part.check(config)));
  const errors = looks.flatMap((look) => (look.status === 'rejected' ? [look.reason] : []));
  const [first] = errors;
  if (errors.length === 0) return;
  if (errors.length === 1 || !isVmpulseError(first)) throw first;
  const text = errors.map(errorMessage).join('; ');
  throw new VmpulseError(first.code, text, { cause: first, details: first.details });
}
