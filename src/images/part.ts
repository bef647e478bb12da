import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a pull has so far. It has a folder of its own, so that no name of an image is one of its files. */
export class Part {
  readonly #folder: string;
  readonly data: string;
  readonly lock: string;
  readonly #version: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.data = join(folder, 'data');
    this.lock = join(folder, 'lock');
    this.#version = join(folder, 'version');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** How much of this source is here, and the server's tag of it; nothing where it may be of something else. */
  async begun(url: URL): Promise<{ readonly bytes: number; readonly tag: string } | undefined> {
    const bytes = await stat(this.data).then(
      ({ size }) => size,
      () => 0,
    );
    const [source, tag = ''] = (await readFile(this.#version, 'utf8').catch(() => '')).split('\n');
    return bytes > 0 && source === digestOf(url) && tag !== '' ? { bytes, tag } : undefined;
  }

  /** Empty, and the beginning of this; without a tag it is never gone on with. */
  async begin(url: URL, tag: string | undefined): Promise<void> {
    await this.forget();
    await writeFile(this.data, '', { mode: 0o600 });
    if (tag !== undefined) await writeFile(this.#version, `${digestOf(url)}\n${tag}`, { mode: 0o600 });
  }

  /** What is here is gone on with by nobody. The version first: it must not outlive what it speaks of. */
  async forget(): Promise<void> {
    for (const path of [this.#version, this.data]) await rm(path, { force: true });
  }

  /** The folder goes, unless something is left in it for the next pull. */
  async tidy(): Promise<void> {
    await rmdir(this.#folder).catch(() => {});
  }
}

/** A URL may have what lets somebody in. */
function digestOf(url: URL): string {
  return createHash('sha256').update(url.href).digest('hex');
}
