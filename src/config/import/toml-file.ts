import { parse, TomlError } from 'smol-toml';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { formatPlace, type Place } from '../problems.js';
import { MAX_FILE_BYTES, type SourceFile, tooLarge } from '../source-document.js';

const MAX_LEVELS = 16;

/** A value of a TOML file and where it stands. */
export interface TomlValue {
  /** For example `health_monitor.timeout`. */
  readonly path: string;
  readonly value: unknown;
  readonly place: Place;
}

/** Every value of a file, bounded in size and depth. Throws ERR_VMPULSE_CONFIG with the place. */
export function readToml({ path: file, text }: SourceFile): readonly TomlValue[] {
  const refuse = (line: number, column: number, what: string): never => {
    const message = plainText(`${formatPlace({ file, line, column })}: ${what}`, 1000);
    throw new VmpulseError('ERR_VMPULSE_CONFIG', message, { details: { problems: [message] } });
  };
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FILE_BYTES) return refuse(1, 1, tooLarge(bytes));
  try {
    const lines = text.split(/\r?\n/);
    const found = leaves(parse(text, { maxDepth: MAX_LEVELS }), []);
    if (found.some(([steps]) => steps.length > MAX_LEVELS))
      return refuse(1, 1, `has tables nested deeper than ${MAX_LEVELS} levels; flatten it`);
    return found.map(([steps, value]) => ({
      path: steps.join('.'),
      value,
      place: { file, ...placeOf(lines, steps) },
    }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0] ?? '';
    return refuse(error.line, error.column, `is not valid TOML: ${what}; correct the syntax here`);
  }
}

function leaves(value: unknown, path: readonly string[]): (readonly [readonly string[], unknown])[] {
  const isTable =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
  // What is deeper is refused.
  if (!isTable || path.length > MAX_LEVELS) return [[path, value]];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}

/** The line that sets the key in its table; the parser tells no places. The first line where it is written otherwise. */
function placeOf(lines: readonly string[], steps: readonly string[]): { line: number; column: number } {
  const [key = ''] = steps.slice(-1);
  const table = steps.slice(0, -1).join('.');
  let within = '';
  for (const [index, text] of lines.entries()) {
    within = /^\s*\[+\s*([^\]]*?)\s*\]+/.exec(text)?.[1] ?? within;
    const found = /^(\s*)["']?([A-Za-z0-9_-]+)["']?\s*=/.exec(text);
    if (within === table && found?.[2] === key)
      return { line: index + 1, column: (found[1] ?? '').length + 1 };
  }
  return { line: 1, column: 1 };
}
