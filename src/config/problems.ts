import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

/** A step into a document: a key or an index. */
export type PathStep = string | number;

/** A place in a file, lines and columns from 1; line 0: what has no lines. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const MAX_SHOWN = 50;
const MAX_LINE_CHARS = 4000;
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Writes a path as `spec.probes[0].name`; keys that are no plain words stand quoted in brackets. */
export function formatPath(path: readonly PathStep[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!PLAIN_KEY.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** Writes a place as `file:line:column`; line 0: only the file. */
export function formatPlace({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}

interface Entry {
  readonly place: Place;
  readonly text: string;
}

/** Collects everything that is wrong, so that a person sees it at once. */
export class ProblemList {
  readonly #problems: Entry[] = [];
  readonly #warnings: Entry[] = [];

  get hasProblems(): boolean {
    return this.#problems.length > 0;
  }

  /** `message` is `what is wrong; remedy`. */
  add(place: Place, path: readonly PathStep[], message: string): void {
    this.#problems.push({ place, text: line(place, path, message) });
  }

  warn(place: Place, path: readonly PathStep[], message: string): void {
    this.#warnings.push({ place, text: line(place, path, message) });
  }

  warnings(): string[] {
    return inOrder(this.#warnings);
  }

  /** Throws ERR_VMPULSE_CONFIG with every problem, one a line, if there is one. */
  throwIfAny(): void {
    if (!this.hasProblems) return;
    const lines = inOrder(this.#problems);
    const shown = lines.slice(0, MAX_SHOWN);
    if (lines.length > shown.length)
      shown.push(`and ${lines.length - shown.length} more; correct these first`);
    throw new VmpulseError('ERR_VMPULSE_CONFIG', shown.join('\n'), { details: { problems: shown } });
  }
}

function line(place: Place, path: readonly PathStep[], message: string): string {
  const where = path.length === 0 ? '' : ` ${formatPath(path)}`;
  return plainText(`${formatPlace(place)}${where}: ${message}`, MAX_LINE_CHARS);
}

/** By file, line and column; each text once. */
function inOrder(entries: readonly Entry[]): string[] {
  const byPlace = (a: Entry, b: Entry) =>
    a.place.file === b.place.file
      ? a.place.line - b.place.line || a.place.column - b.place.column
      : a.place.file < b.place.file
        ? -1
        : 1;
  return [...new Set([...entries].sort(byPlace).map(({ text }) => text))];
}
