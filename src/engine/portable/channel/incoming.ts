import { z } from 'zod';
import type { Fault } from '../fault.js';
import { escapeText } from '../text.js';
import { notJson } from './json-framer.js';
import type { SessionMessage } from './session.js';

/** Bytes of a peer's texts that are kept. */
const MAX_CLASS = 64;
const MAX_DESCRIPTION = 1024;
const MAX_EVENT_NAME = 128;

const schema = z.object({
  error: z.object({ class: z.string().default(''), desc: z.string().default('') }).nullish(),
  event: z.string().nullish(),
  data: z.unknown().optional(),
  id: z.unknown().optional(),
});

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Any message of a monitor or agent, taken apart. */
export interface Incoming {
  readonly isGreeting: boolean;
  /** The answer, in a box: `null` is an answer too. */
  readonly answer: { readonly value: unknown } | undefined;
  readonly error: { readonly class: string; readonly description: string } | undefined;
  readonly event: Extract<SessionMessage, { type: 'event' }> | undefined;
  readonly id: unknown;
}

/** Reads one object. */
export function parseIncoming(bytes: Buffer): Incoming | Fault {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    return notJson(bytes);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success || typeof value !== 'object' || value === null) return notJson(bytes);
  const { error, event, data, id } = parsed.data;
  return {
    isGreeting: Object.hasOwn(value, 'QMP'),
    answer: 'return' in value && Object.hasOwn(value, 'return') ? { value: value.return } : undefined,
    error: error
      ? { class: escapeText(error.class, MAX_CLASS), description: escapeText(error.desc, MAX_DESCRIPTION) }
      : undefined,
    event:
      typeof event === 'string'
        ? { type: 'event', name: escapeText(event, MAX_EVENT_NAME), data, bytes: bytes.length }
        : undefined,
    id,
  };
}
