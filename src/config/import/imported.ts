import type { Place } from '../problems.js';
import type { SourceFile } from '../source-document.js';

/** Something that was not taken over, where it stands, and what to do instead. */
export interface NotTaken {
  readonly place: Place;
  /** As the file has it. */
  readonly path: string;
  /** `why; what to do`. */
  readonly why: string;
}

/** What became of a file of another system. */
export interface Imported {
  /** Documents of vmpulse; `path` is a name without a folder. */
  readonly files: readonly SourceFile[];
  readonly taken: readonly string[];
  readonly notTaken: readonly NotTaken[];
  /** Commands that do the rest, each with what it is for. */
  readonly commands: readonly (readonly [command: string, what: string])[];
}

export interface ImportOptions {
  /** Name of the VM, where the file has none. */
  readonly vm: string;
}

export type Importer = (file: SourceFile, options: ImportOptions) => Imported;
