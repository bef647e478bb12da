import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hostBootId, identify, livingState } from '../../hypervisors/process.js';
import { parseJson } from '../../model/parse-json.js';

const record = z.object({
  pid: z.number().int().min(2),
  startTimeTicks: z.number(),
  boot: z.string(),
  name: z.string(),
});

/**
 * Which hooks run, a file each in the run directory: those of a daemon that died are ended by the next one, which alone
 * still knows their limit.
 */
export class RunningHooks {
  readonly #folder: string;

  constructor(runDir: string) {
    this.#folder = join(runDir, 'hooks');
  }

  /** Notes one that has just been started. Returns what forgets it again. Never throws. */
  note(pid: number, name: string): () => void {
    const path = join(this.#folder, `${pid}.json`);
    const identity = identify(pid);
    if (identity === undefined) return () => {};
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(path, JSON.stringify({ ...identity, boot: hostBootId(), name }), { mode: 0o600 });
    } catch {
      // Nobody will end it if this daemon dies meanwhile; it still ends at its limit if not.
    }
    return () => rmSync(path, { force: true });
  }

  /** Ends, with its group, what a former daemon left running. Resolves with the names. */
  async endLeft(): Promise<readonly string[]> {
    const ended: string[] = [];
    for (const file of await readdir(this.#folder).catch(() => [])) {
      const path = join(this.#folder, file);
      const found = record.safeParse(await readFile(path, 'utf8').then(parseJson, () => undefined));
      await rm(path, { force: true });
      if (!found.success || found.data.boot !== hostBootId()) continue;
      if (livingState(found.data) === undefined) continue;
      try {
        process.kill(-found.data.pid, 'SIGKILL');
        ended.push(found.data.name);
      } catch {
        // It has just ended by itself.
      }
    }
    return ended;
  }
}
