import { z } from 'zod';
import { Pattern } from '../engine/portable/script/pattern.js';
import { given } from '../model/given.js';
import type { ExchangeScript, ExchangeStep } from '../model/probe.js';
import { countField, textField } from './fields.js';
import { bodyRegexProblem, refusalOf } from './http-options.js';
import { tlsConflicts, tlsFields, toTls } from './stream-tls.js';

const MAX_STEPS = 32;
export const MAX_SEND_BYTES = 4096;
export const MAX_EXPECT_BYTES = 1024;
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|(.?))/gs;
const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for what is not ASCII
const BEYOND_ASCII = /[^\u0000-\u007f]/;

/** Bytes of a text with escapes, or what is wrong with it. */
export function readText(text: string, maxBytes: number): Buffer | string {
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, hex, letter = ''] = match;
    const plain = ESCAPES[letter];
    if (hex === undefined && plain === undefined)
      return `has the unknown escape "${whole}"; write \\r, \\n, \\t, \\0, \\xff, or \\\\ for a backslash`;
    parts.push(Buffer.from(text.slice(from, match.index)));
    parts.push(hex === undefined ? Buffer.from(plain ?? '') : Buffer.from(hex, 'hex'));
    from = match.index + whole.length;
  }
  return bounded(Buffer.concat([...parts, Buffer.from(text.slice(from))]), maxBytes);
}

/** Bytes of a text in hex, or what is wrong with it. */
function readHex(text: string, maxBytes: number): Buffer | string {
  const digits = text.replaceAll(/[ :]/g, '');
  if (!/^([0-9a-fA-F]{2})+$/.test(digits))
    return 'is not bytes in hex; write two digits a byte, such as 0d0a';
  return bounded(Buffer.from(digits, 'hex'), maxBytes);
}

function bounded(bytes: Buffer, maxBytes: number): Buffer | string {
  if (bytes.length === 0) return 'is empty; write at least one byte, or leave the step out';
  return bytes.length > maxBytes ? `is longer than ${maxBytes} bytes; shorten it` : bytes;
}

/** Both engines must take the expression, and it is matched against bytes. */
export function expectRegexProblem(text: string): string | undefined {
  if (BEYOND_ASCII.test(text)) return 'has a character beyond ASCII; write its bytes, such as \\xc3\\xa9';
  if (/\\[pPu]/.test(text)) return 'has a Unicode escape; it is matched against bytes, write such as \\xff';
  const problem = bodyRegexProblem(text);
  if (problem !== undefined) return problem;
  if (new RegExp(text, 'u').test('')) return 'matches nothing at all; demand at least one byte';
  return refusalOf(() => Pattern.regex(text));
}

/** A text as it is read, given on in hex. */
function bytesField(unit: string, example: string, read: (text: string) => Buffer | string) {
  return z
    .string()
    .transform((text, ctx): string => {
      const bytes = read(text);
      if (typeof bytes !== 'string') return bytes.toString('hex');
      ctx.issues.push({ code: 'custom', message: bytes, input: text });
      return z.NEVER;
    })
    .meta({ unit, example });
}

const step = z.strictObject({
  send: bytesField('text with escapes', 'PING\\r\\n', (text) => readText(text, MAX_SEND_BYTES)).optional(),
  sendHex: bytesField('bytes in hex', '0d0a', (text) => readHex(text, MAX_SEND_BYTES)).optional(),
  expect: bytesField('text with escapes', '+PONG', (text) => readText(text, MAX_EXPECT_BYTES)).optional(),
  expectHex: bytesField('bytes in hex', '0d0a', (text) => readHex(text, MAX_EXPECT_BYTES)).optional(),
  expectRegex: textField(
    { unit: 'regular expression', example: '^SSH-2[.]0-' },
    expectRegexProblem,
  ).optional(),
  startTls: z.literal(true).meta({ unit: 'true', example: 'true' }).optional(),
});

const STEP_FIELDS = Object.keys(step.shape).join(', ');

function toStep(written: z.output<typeof step>): ExchangeStep | undefined {
  const { send, sendHex, expect, expectHex, expectRegex, startTls } = written;
  const steps: (ExchangeStep | false)[] = [
    send !== undefined && { send },
    sendHex !== undefined && { send: sendHex },
    expect !== undefined && { expect },
    expectHex !== undefined && { expect: expectHex },
    expectRegex !== undefined && { expectRegex },
    startTls !== undefined && { startTls },
  ];
  const given = steps.filter((each) => each !== false);
  return given.length === 1 ? given[0] : undefined;
}

const oneStep = step.transform((written, ctx): ExchangeStep => {
  const found = toStep(written);
  if (found !== undefined) return found;
  ctx.issues.push({
    code: 'custom',
    message: `must be one step; write one of ${STEP_FIELDS}`,
    input: written,
  });
  return z.NEVER;
});

/** Fields of a document that say what is said. */
export const scriptFields = {
  ...tlsFields,
  steps: z.array(oneStep).max(MAX_STEPS).meta({ example: '[]' }).optional(),
  maxBytes: countField({ unit: 'bytes', example: '10240' }, 1, 1_048_576).optional(),
} as const;

type WrittenScript = z.output<z.ZodObject<typeof scriptFields>>;

/** True for a script that is encrypted, from the start or by a step. */
function isEncrypted({ tls, steps = [] }: WrittenScript): boolean {
  return tls === true || steps.some((each) => 'startTls' in each);
}

/** Rules between these fields. */
export function* scriptConflicts(
  script: WrittenScript,
): Iterable<readonly [field: keyof WrittenScript, message: string]> {
  const { tls, steps = [] } = script;
  const last = steps.at(-1);
  if (last === undefined && tls !== true) yield ['steps', 'is missing; say what to send and what to expect'];
  if (last !== undefined && 'send' in last)
    yield ['steps', 'ends with a send, which nothing can confirm; expect something after it'];
  const upgrades = steps.filter((each) => 'startTls' in each).length;
  if (upgrades > 1) yield ['steps', 'has startTls more than once; keep one'];
  if (upgrades > 0 && tls === true) yield ['tls', 'cannot stand beside a step startTls; remove one of them'];
  yield* tlsConflicts(script, isEncrypted(script), 'set tls: true or add a step startTls: true');
}

export function toScript(script: WrittenScript): ExchangeScript {
  const { steps = [], maxBytes } = script;
  return {
    steps,
    ...(isEncrypted(script) ? { tls: toTls(script) } : {}),
    ...given({ maxBytes }),
  };
}

/** A script that is held over a connection of another sort. */
export const scriptTalkSchema = z
  .strictObject(scriptFields)
  .superRefine((script, ctx) => {
    for (const [field, message] of scriptConflicts(script))
      ctx.addIssue({ code: 'custom', message, path: [field], input: script[field] });
  })
  .transform(toScript);
