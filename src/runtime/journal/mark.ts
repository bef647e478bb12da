import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMissingFile } from '../../model/errors.js';

/**
 * A file beside the journal that names the journal which belongs there: one that is found under its path and has
 * another id is not the one that was written before. Without it a journal that was removed looks like a first start.
 */
export class JournalMark {
  readonly path: string;

  constructor(journalPath: string) {
    this.path = `${journalPath}.id`;
  }

  /** The id of the journal that belongs here; undefined: none was ever here. Throws what the file system does. */
  read(): string | undefined {
    try {
      return readFileSync(this.path, 'utf8').trim();
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      throw error;
    }
  }

  /** The journal that belongs here is gone, whichever it was: from now on none passes for it. */
  noteLoss(): void {
    if (this.read() === undefined) this.write('lost');
  }

  /** On disk when it returns, and whole whenever the host goes down. Throws what the file system does. */
  write(id: string): void {
    const partial = `${this.path}.partial`;
    const file = openSync(partial, 'w', 0o640);
    try {
      writeSync(file, `${id}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, this.path);
    const folder = openSync(dirname(this.path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}
