import { Option } from 'commander';
import { z } from 'zod';
import { isUnsafe } from '../model/plain-text.js';
import { type Cli, json } from './cli.js';
import { escapeLines } from './text/lines.js';

const FORMATS = ['table', 'json', 'yaml'] as const;

/** How data is shown. Whatever it is, nothing in it steers a terminal. */
export type Format = (typeof FORMATS)[number];

export interface FormatOptions<More extends string = never> {
  readonly format: Format | More;
  /** That it was typed so; `format` says the same. */
  readonly json?: true;
}

/** Data as it came, for programs, and what is shown of it to a person: escaped, and shortened where it is long. */
export interface Answer<T, Came = unknown> {
  readonly data: Came;
  readonly shown: T;
}

/** --format; `more` are formats that this command alone has. */
export function formatOption(more: readonly string[] = []): Option {
  return new Option('--format <format>', 'how it is shown; json is one line')
    .choices([...FORMATS, ...more])
    .default('table');
}

/** --json, its short form. Every command has both. */
export function jsonOption(): Option {
  return new Option('--json', 'the same as --format json').implies({ format: 'json' });
}

/** A schema that keeps what came beside what is made of it. */
export function asCame<S extends z.ZodType>(schema: S): z.ZodType<Answer<z.output<S>, z.input<S>>> {
  return z.unknown().transform((data, context): Answer<z.output<S>, z.input<S>> => {
    const checked = schema.safeParse(data);
    // What a schema has taken is of its input type.
    if (checked.success) return { data: data as z.input<S>, shown: checked.data };
    for (const { path, message } of checked.error.issues)
      context.issues.push({ code: 'custom', path, message, input: data });
    return z.NEVER;
  });
}

/** Each of a list of an answer: as it came, and as it is shown. */
export function answersOf<T, Came>(came: readonly Came[], shown: readonly T[]): Answer<T, Came>[] {
  return came.flatMap((data, index) => {
    const each = shown[index];
    return each === undefined ? [] : [{ data, shown: each }];
  });
}

/** The reverse: several answers as a member of one. */
export function listAnswer<T>(member: string, answers: readonly Answer<T>[]): Answer<readonly T[]> {
  return {
    data: { [member]: answers.map(({ data }) => data) },
    shown: answers.map(({ shown }) => shown),
  };
}

/** Data that is shown as it is. */
export function plain<T>(data: T): Answer<T, T> {
  return { data, shown: data };
}

/** Shows it: the data, or the text that `text` makes of it. */
export async function show<T>(
  cli: Cli,
  { format }: FormatOptions,
  answer: Answer<T>,
  text: (shown: T) => string,
): Promise<void> {
  cli.stdout.write(await formatted(format, answer, text));
}

/** What show() writes. */
export async function formatted<T>(
  format: Format,
  { data, shown }: Answer<T>,
  text: (shown: T) => string,
): Promise<string> {
  if (format === 'json') return json(data);
  return format === 'yaml' ? yaml(data) : text(shown);
}

async function yaml(value: unknown): Promise<string> {
  const { Document, visit } = await import('yaml');
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, node) => {
      // Escapes mean something between double quotes only.
      if (typeof node.value === 'string' && isUnsafe(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return escapeLines(
    document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER }),
  );
}
