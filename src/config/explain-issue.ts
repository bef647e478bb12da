import type { z } from 'zod';
import { plainText } from '../model/plain-text.js';
import type { PathStep } from './problems.js';
import { type FieldShape, shapeAt } from './schema-shape.js';
import { closest } from './suggest.js';

/** One thing that is wrong, at a path of the document. */
export interface Explained {
  readonly path: readonly PathStep[];
  /** The key is wrong, not its value. */
  readonly isKey: boolean;
  /** `what is wrong; remedy`. */
  readonly message: string;
}

const MAX_LISTED = 12;

/** Joins as `a, b or c`. */
export function orList(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
}

/** Units of numbers, as words. */
const NUMBER_UNITS: Readonly<Record<string, string>> = {
  s: 'number of seconds',
  ms: 'number of milliseconds',
  days: 'number of days',
  bytes: 'number of bytes',
  count: 'number',
};

function withArticle(unit: string): string {
  const noun = NUMBER_UNITS[unit] ?? unit;
  if (noun === 'text') return noun;
  return `${/^[aeio]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

/** A value as a message shows it. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `"${plainText(value, 60)}"`;
  if (Array.isArray(value)) return 'a list';
  if (value === null || value === undefined) return 'nothing';
  return typeof value === 'object' ? 'a mapping' : String(value);
}

/** What to write at a field, for example `write a port such as 8080`. */
export function remedyFor(shape: FieldShape | undefined): string {
  if (shape === undefined) return 'see the reference of this document';
  if (shape.choices !== undefined) return `write ${orList(shape.choices)}`;
  if (shape.unit === 'boolean') return 'write true or false';
  if (shape.unit !== undefined && shape.example !== undefined)
    return `write ${withArticle(shape.unit)} such as ${shape.example}`;
  if (shape.properties !== undefined && shape.properties.size > 0) {
    return `write a mapping with ${orList([...shape.properties.keys()].slice(0, MAX_LISTED))}`;
  }
  if (shape.type === 'object') return 'write a mapping, {} if it is empty';
  return shape.type === 'array' ? 'write a list' : 'see the reference of this document';
}

/** What a key should have been: the nearest known one, or all of them. */
export function unknownKeyMessage(key: string, known: readonly string[], of: string): string {
  const near = closest(key, known);
  if (near !== undefined) return `is not a field of ${of}; did you mean "${near}"?`;
  if (known.length === 0) return `is not a field of ${of}, which has none; remove it`;
  const listed = known.slice(0, MAX_LISTED);
  return `is not a field of ${of}; known here: ${listed.join(', ')}${known.length > listed.length ? ', …' : ''}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a whole number',
  string: 'text',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function typeMessage(expected: string, input: unknown, shape: FieldShape | undefined): string {
  if (input === undefined) return `is missing; ${remedyFor(shape)}`;
  if (expected === 'boolean') return `cannot be ${describeValue(input)}; write true or false`;
  const isText = expected === 'string';
  const wanted =
    isText && shape?.unit !== undefined && shape.unit !== 'text'
      ? withArticle(shape.unit)
      : TYPE_NAMES[expected];
  const what = `must be ${wanted ?? expected}, not ${describeValue(input)}`;
  const isPlain = typeof input === 'number' || typeof input === 'boolean';
  if (isText && isPlain && (shape?.unit === undefined || shape.unit === 'text'))
    return `${what}; put it in quotes: "${input}"`;
  const isNumber = expected === 'number' || expected === 'int';
  if (isNumber && typeof input === 'string' && /^\d+$/.test(input)) return `${what}; remove the quotes`;
  return `${what}; ${remedyFor(shape)}`;
}

function boundMessage(
  issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
  shape: FieldShape | undefined,
): string {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === 'array')
    return `must have ${bound} ${bound.endsWith(' 1') ? 'entry' : 'entries'}; add or remove some`;
  if (issue.origin === 'string') return `must have ${bound} characters; ${remedyFor(shape)}`;
  const { minimum, maximum } = shape ?? {};
  const range = minimum !== undefined && maximum !== undefined ? `between ${minimum} and ${maximum}` : bound;
  return `must be ${range}, not ${describeValue(issue.input)}; ${remedyFor(shape)}`;
}

function choiceMessage(input: unknown, choices: readonly string[]): string {
  if (input === undefined) return `is missing; write ${orList(choices)}`;
  const near = typeof input === 'string' ? closest(input, choices) : undefined;
  const remedy = near === undefined ? `write ${orList(choices)}` : `did you mean "${near}"?`;
  return `cannot be ${describeValue(input)}; ${remedy}`;
}

/** Turns one issue of the validator into messages of ours. `root` is the shape of the whole document. */
export function explainIssue(
  issue: z.core.$ZodIssue,
  root: FieldShape,
  documentName: string,
): readonly Explained[] {
  const path = issue.path.filter((step): step is PathStep => typeof step !== 'symbol');
  const shape = shapeAt(root, path);
  const value = (message: string): readonly Explained[] => [{ path, isKey: false, message }];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = [...(shape?.properties?.keys() ?? [])];
      const of = path.length === 0 ? documentName : String(path.findLast((step) => typeof step === 'string'));
      return issue.keys.map((key) => ({
        path: [...path, key],
        isKey: true,
        message: unknownKeyMessage(key, known, of),
      }));
    }
    case 'invalid_type':
      return value(typeMessage(issue.expected, issue.input, shape));
    case 'too_small':
    case 'too_big':
      return value(boundMessage(issue, shape));
    case 'invalid_value':
      return value(choiceMessage(issue.input, issue.values.map(String)));
    case 'custom':
      return value(issue.message);
    default:
      return value(`is not valid (${issue.message}); ${remedyFor(shape)}`);
  }
}
