import { z } from 'zod';
import { compileRegex } from '../engine/portable/http/regex.js';
import { errorMessage } from '../model/errors.js';
import { given } from '../model/given.js';
import type { HttpGetOptions } from '../model/probe.js';
import {
  absolutePathField,
  booleanField,
  countField,
  hasControlCharacters,
  hostField,
  portField,
  socketPathField,
  textField,
} from './fields.js';

const MAX_PATH_CHARS = 2048;
const MAX_HEADERS = 64;
const MAX_REGEX_CHARS = 1024;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const METHOD = /^[A-Z]{1,16}$/;
/** Groups and references that a linear-time engine does not have. */
const NOT_LINEAR = /\(\?<?[=!]|\\[1-9]|\\k</;

export function pathProblem(text: string): string | undefined {
  if (text.length > MAX_PATH_CHARS) return `is longer than ${MAX_PATH_CHARS} characters; shorten it`;
  if (hasControlCharacters(text) || text.includes(' '))
    return 'has a space or control character; percent-encode it';
  return text.includes('#') ? 'has a fragment; leave out # and what follows, it is never sent' : undefined;
}

export function methodProblem(text: string): string | undefined {
  if (text === 'CONNECT') return 'is CONNECT, which opens a tunnel; use GET, HEAD, POST or OPTIONS';
  return METHOD.test(text) ? undefined : 'is not an HTTP method; write it in capitals, for example GET';
}

export function headerNameProblem(text: string): string | undefined {
  return TOKEN.test(text) ? undefined : `is not an HTTP header name ("${text}"); use letters, digits and -`;
}

export function headerValueProblem(text: string): string | undefined {
  return hasControlCharacters(text.replaceAll('\t', ' '))
    ? 'has a control character; leave it out'
    : undefined;
}

/** Both engines must take the expression, so it is the common part of their languages. */
export function bodyRegexProblem(text: string): string | undefined {
  if (text.length > MAX_REGEX_CHARS) return `is longer than ${MAX_REGEX_CHARS} characters; shorten it`;
  if (NOT_LINEAR.test(text))
    return 'uses look-around or a back-reference; rewrite it without, matching takes linear time';
  try {
    new RegExp(text, 'u');
  } catch {
    return 'is not a regular expression; check brackets and escapes';
  }
  return refusalOf(() => compileRegex(text));
}

/** Why an engine does not take an expression; undefined where it does. */
export function refusalOf(compile: () => unknown): string | undefined {
  try {
    compile();
    return undefined;
  } catch (error) {
    const why = errorMessage(error);
    return why.includes(';') ? why : `${why}; write it in another way`;
  }
}

/** Reads `200` or `200-399`; undefined when it is neither. */
export function parseStatusRange(value: unknown): readonly [from: number, to: number] | undefined {
  const match = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(String(value));
  if (match === null || (typeof value !== 'number' && typeof value !== 'string')) return undefined;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return from <= to ? [from, to] : undefined;
}

const statusRange = z
  .unknown()
  .transform((value, ctx): readonly [number, number] => {
    const range = parseStatusRange(value);
    if (range !== undefined) return range;
    const message = 'is not a status or a range of them; write one such as 204 or 200-399';
    ctx.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ unit: 'status or range', example: '200-399' });

const header = z
  .strictObject({
    name: textField({ unit: 'header name', example: 'X-Probe' }, headerNameProblem),
    value: textField({ unit: 'text', example: 'vmpulse' }, headerValueProblem),
  })
  .transform(({ name, value }): readonly [string, string] => [name, value]);

const headers = z.array(header).max(MAX_HEADERS).meta({ unit: 'list of name and value' });

const expectation = z.strictObject({
  status: z
    .array(statusRange)
    .min(1)
    .meta({ unit: 'list of statuses and ranges', example: '[200-299, 404]' })
    .optional(),
  bodyContains: z.string().min(1).meta({ unit: 'text', example: 'ok' }).optional(),
  bodyRegex: textField({ unit: 'regular expression', example: '^(ok|ready)$' }, bodyRegexProblem).optional(),
  headers: headers.optional(),
});

const written = z.strictObject({
  host: hostField.optional(),
  port: portField.optional(),
  path: textField({ unit: 'path', example: '/healthz' }, pathProblem).optional(),
  scheme: z.enum(['HTTP', 'HTTPS']).meta({ unit: 'choice', example: 'HTTP' }).optional(),
  httpHeaders: headers.optional(),
  method: textField({ unit: 'method', example: 'HEAD' }, methodProblem).optional(),
  body: z.string().max(65_536).meta({ unit: 'text', example: 'ping' }).optional(),
  unixSocket: socketPathField.optional(),
  keepAlive: booleanField.optional(),
  verify: booleanField.optional(),
  caFile: absolutePathField.optional(),
  certificateExpiresWithinDays: countField({ unit: 'days', example: '14' }, 1, 3650).optional(),
  expect: expectation.optional(),
  maxBodyBytes: countField({ unit: 'bytes', example: '10240' }, 1, 1_048_576).optional(),
});

type WrittenHttp = z.output<typeof written>;

/** Rules between fields: the field that is wrong, and the message. */
function* conflicts(http: WrittenHttp): Iterable<readonly [field: keyof WrittenHttp, message: string]> {
  if (http.port === undefined && http.unixSocket === undefined)
    yield ['port', 'is missing; write a port such as 8080'];
  if (http.unixSocket !== undefined) {
    if (http.host !== undefined) yield ['host', 'cannot stand beside unixSocket; remove one of them'];
    if (http.port !== undefined) yield ['port', 'cannot stand beside unixSocket; remove one of them'];
    if (http.scheme === 'HTTPS') yield ['scheme', 'cannot be HTTPS over a Unix socket; use HTTP'];
  }
  if (http.verify === true && http.scheme !== 'HTTPS') yield ['verify', 'needs TLS; set scheme: HTTPS'];
  for (const field of ['caFile', 'certificateExpiresWithinDays'] as const) {
    if (http[field] !== undefined && http.verify !== true)
      yield [field, 'is looked at only with verify: true; add it'];
  }
}

function toOptions({ httpHeaders, scheme, path = '/', port, expect, ...rest }: WrittenHttp): HttpGetOptions {
  return {
    ...given(rest),
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    port: port ?? 80,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: httpHeaders ?? [],
    ...(expect === undefined ? {} : { expect: given(expect) }),
  };
}

/** Options of HTTP that is asked over a connection of another sort. */
export const httpTalkSchema = written
  .omit({ host: true, port: true, unixSocket: true })
  .superRefine((http, ctx) => {
    const whole: WrittenHttp = { ...http, port: 80 };
    for (const [field, message] of conflicts(whole))
      ctx.addIssue({ code: 'custom', message, path: [field], input: whole[field] });
  })
  .transform((http) => toOptions({ ...http, port: 80 }));

/** Options of httpGet as KubeVirt and vmpulse documents write them. */
export const httpGetSchema = written
  .superRefine((http, ctx) => {
    for (const [field, message] of conflicts(http)) {
      ctx.addIssue({ code: 'custom', message, path: [field], input: http[field] });
    }
  })
  .transform(toOptions);
