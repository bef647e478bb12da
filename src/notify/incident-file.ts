import { mkdir, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeDurably } from '../kernel/durable-file.js';
import type { Clock } from '../model/clock.js';
import { errorMessage, isMissingFile } from '../model/errors.js';
import { Later } from '../runtime/later.js';
import { incidentsSchema, type StoredIncidents } from './incidents.js';

export interface IncidentFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly read: () => StoredIncidents;
  readonly degrade: (what: string, why: string) => void;
  readonly mend: (what: string) => void;
}

/** News of an outage come by the thousand: they are written together. */
const SAVE_MS = 1_000;

/** What is gathered and open, in a file that is written soon after it changed. */
export class IncidentFile {
  readonly #options: IncidentFileOptions;
  readonly #later: Later;
  #saving: Promise<void> = Promise.resolve();
  #written = '';

  constructor(options: IncidentFileOptions) {
    this.#options = options;
    this.#later = new Later(options.clock, SAVE_MS, () => void this.save());
  }

  /** What a former run left; undefined: nothing, or nothing that can be read, which is put aside and told. Never rejects. */
  async load(): Promise<StoredIncidents | undefined> {
    const { path, degrade } = this.#options;
    try {
      return incidentsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      const aside = await rename(path, `${path}.bad`).then(
        () => `is put aside as ${path}.bad`,
        (cause: unknown) => `cannot be put aside (${errorMessage(cause)})`,
      );
      const why = errorMessage(error).split('\n')[0];
      // Not the name of `#write`, which the next write would clear.
      degrade(
        'notify-incidents',
        `${path} cannot be read and ${aside}: what was gathered and the end of what was open are not told: ${why}`,
      );
      return undefined;
    }
  }

  /** It changed. */
  changed(): void {
    this.#later.want();
  }

  /** Writes it now, one write after another. Never rejects; what cannot be written is tried at the next change. */
  save(): Promise<void> {
    this.#later.cancel();
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { path, read, degrade, mend } = this.#options;
    const text = JSON.stringify(read());
    if (text === this.#written) return;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeDurably(path, text);
      this.#written = text;
      mend('notify-state');
    } catch (error) {
      degrade('notify-state', `open incidents are not kept on disk: ${errorMessage(error)}`);
    }
  }
}
