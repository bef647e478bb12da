import type { DaemonConfig } from '../config/index.js';

/** New settings of a part, looked at and opened, but not in use yet. One of both is called, once. */
export interface Prepared {
  /** Uses them from now on. Must not fail. */
  commit(): void | Promise<void>;
  /** Lets go of what was opened for them; all is as before. Must not fail. */
  discard(): void | Promise<void>;
}

/** A part of the daemon that takes new settings while it runs. */
export interface LivePart {
  /** Does all that can fail. Rejects where the settings cannot be used; nothing has changed then. */
  prepare(config: DaemonConfig): Promise<Prepared>;
}

/** A part whose settings can only be taken. */
export function alwaysTaken(take: (config: DaemonConfig) => void): LivePart {
  return { prepare: async (config) => ({ commit: () => take(config), discard: () => {} }) };
}

/** Both, or none of them. */
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
