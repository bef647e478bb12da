import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { appliedFolder } from '../config/index.js';
import { syncFolder, writeSynced } from '../kernel/durable-file.js';

/**
 * The documents that were applied, a file each, under `<stateDir>/documents`. That is a link to one whole set: a new
 * set is written beside it and takes its place in one step, so that whoever reads, and whatever dies, finds all of
 * the former set or all of the new one.
 */
export class DocumentStore {
  readonly #stateDir: string;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** Puts this set, text by file name, in place of the present one, which stays until tidy(). Resolves with how to go back. */
  async replace(
    texts: ReadonlyMap<string, string>,
    former: ReadonlyMap<string, string>,
  ): Promise<() => Promise<void>> {
    const present = await this.#present();
    const name = `documents.${randomUUID()}`;
    const folder = join(this.#stateDir, name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const [file, text] of texts) {
      const path = join(folder, file);
      if (present !== undefined && former.get(file) === text)
        await link(join(this.#stateDir, present, file), path);
      else await writeSynced(path, text);
    }
    await syncFolder(folder);
    await this.#point(name);
    return () => (present === undefined ? this.#clear() : this.#point(present));
  }

  /** Removes sets that are not in force: a former one, and what an apply that died has begun. */
  async tidy(): Promise<string[]> {
    const leftovers = await this.leftovers();
    for (const path of leftovers) await rm(path, { recursive: true, force: true });
    return leftovers;
  }

  async leftovers(): Promise<string[]> {
    const present = await this.#present();
    const names = await readdir(this.#stateDir).catch(() => []);
    return names
      .filter((name) => name.startsWith('documents.') && name !== present)
      .map((name) => join(this.#stateDir, name));
  }

  async #present(): Promise<string | undefined> {
    return readlink(appliedFolder(this.#stateDir)).catch(() => undefined);
  }

  async #point(name: string): Promise<void> {
    const fresh = join(this.#stateDir, 'documents.link');
    await rm(fresh, { force: true });
    await symlink(name, fresh);
    await rename(fresh, appliedFolder(this.#stateDir));
    await syncFolder(this.#stateDir);
  }

  async #clear(): Promise<void> {
    await rm(appliedFolder(this.#stateDir), { force: true });
  }
}
