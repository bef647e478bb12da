import { isIP } from 'node:net';
import { z } from 'zod';

/**
 * What the schemas of probes and of configuration documents share. `unit` and `example` of a field's meta are used in
 * messages ("write a port such as 8080") and tie the reference pages to the schemas.
 */
export interface FieldMeta {
  /** What the value is: `port`, `duration`, `ms`, `s`, `count`, `path`, … */
  readonly unit: string;
  /** A good value, as it is written in YAML. */
  readonly example: string;
}

/** Longest path of a Unix socket that the kernel takes. */
const MAX_SOCKET_PATH_BYTES = 107;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
const DNS_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)*\.?$/;

/** A text field; `problem` says what is wrong and the remedy (`…; …`), or undefined. */
export function textField(meta: FieldMeta, problem: (value: string) => string | undefined) {
  return z
    .string()
    .superRefine((value, ctx) => {
      const message = problem(value);
      if (message !== undefined) ctx.addIssue({ code: 'custom', message, input: value });
    })
    .meta({ ...meta });
}

/** A whole number with its bounds. */
export function countField(meta: FieldMeta, min: number, max: number) {
  return z
    .int()
    .min(min)
    .max(max)
    .meta({ ...meta });
}

export const booleanField = z.boolean().meta({ unit: 'boolean', example: 'true' });

export const portField = countField({ unit: 'port', example: '8080' }, 1, 65_535);

/** True for text that may stand in one line of a protocol or of an argument list. */
export function hasControlCharacters(text: string): boolean {
  return CONTROL.test(text);
}

/** What is wrong with an IP address, or undefined. */
function ipAddressProblem(text: string): string | undefined {
  if (text.includes('%'))
    return `has a zone ("${text}"); link-local addresses are not supported, write a routable one`;
  return isIP(text) === 0
    ? `is not an IP address ("${text}"); write one such as 192.0.2.10 or 2001:db8::10`
    : undefined;
}

export const ipAddressField = textField({ unit: 'IP address', example: '192.0.2.10' }, ipAddressProblem);

/** What is wrong with a host, an IP literal or a DNS name; or undefined. */
export function hostProblem(text: string): string | undefined {
  if (/^[0-9a-f:.]*:[0-9a-f:.]*(%.*)?$/i.test(text)) return ipAddressProblem(text);
  if (isIP(text) !== 0) return undefined;
  if (/^[0-9.]+$/.test(text)) return ipAddressProblem(text);
  return DNS_NAME.test(text)
    ? undefined
    : `is not a host ("${text}"); write an IP address or a DNS name, without scheme or port`;
}

export const hostField = textField({ unit: 'host', example: '192.0.2.10' }, hostProblem);

/** What is wrong with an absolute path, or undefined. */
export function absolutePathProblem(text: string): string | undefined {
  if (hasControlCharacters(text)) return 'has a control character; write a plain path';
  if (!text.startsWith('/')) return `is not an absolute path ("${text}"); begin it with /`;
  return undefined;
}

export const absolutePathField = textField(
  { unit: 'path', example: '/var/lib/images/web.qcow2' },
  absolutePathProblem,
);

/** What is wrong with the path of a Unix socket, or undefined. */
export function socketPathProblem(text: string): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    return `is ${bytes} bytes long; the kernel takes at most ${MAX_SOCKET_PATH_BYTES} for a Unix socket, choose a shorter directory`;
  }
  return absolutePathProblem(text);
}

export const socketPathField = textField({ unit: 'socket path', example: '/run/vm.qmp' }, socketPathProblem);

const DEVICE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;

/** What is wrong with the name of a network device, or undefined. */
export function deviceProblem(text: string): string | undefined {
  return DEVICE_NAME.test(text) && text !== '.' && text !== '..'
    ? undefined
    : `is not a network device ("${text}"); use up to 15 letters, digits, -, _ and .`;
}

export function deviceField(unit: 'TAP device' | 'bridge' | 'device', example: string) {
  return textField({ unit, example }, deviceProblem);
}
