import { z } from 'zod';
import { type FieldMeta, hasControlCharacters, textField } from '../probes/fields.js';
import { formatDuration, MAX_DURATION_MS, parseDuration } from './duration.js';
import { parseQuantity } from './quantity.js';

/** Schemas of single fields that the documents share; those that probes need too are in src/probes/fields.ts. */

const MIB = 1_048_576;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const VM_NAME = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A duration with a unit, as milliseconds. */
export function durationField(example: string, minMs: number, maxMs = MAX_DURATION_MS) {
  const from = formatDuration(minMs);
  const bounds = maxMs < MAX_DURATION_MS ? `${from} to ${formatDuration(maxMs)}` : `from ${from}`;
  return z
    .string()
    .transform((text, ctx): number => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
      const message =
        ms === undefined
          ? `is not a duration ("${text}"); write a number and its unit, such as ${example} (d, h, m, s, ms)`
          : ms < minMs
            ? `is too short ("${text}"); write at least ${minMs} ms`
            : `is too long ("${text}"); write at most ${formatDuration(maxMs)}`;
      ctx.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    })
    .meta({ unit: 'duration', example, bounds });
}

/** An amount of memory, as whole MiB, rounded up. */
export const memoryField = z
  .unknown()
  .transform((value, ctx): number => {
    const bytes = typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined;
    if (bytes !== undefined && bytes >= MIB) return Math.ceil(bytes / MIB);
    const message =
      bytes === undefined
        ? 'is not an amount of memory; write one such as 512Mi or 2Gi'
        : `is less than 1Mi (${bytes} bytes); write one such as 512Mi or 2Gi, a plain number counts bytes`;
    ctx.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ unit: 'quantity', example: '2Gi' });

export const vmNameField = textField({ unit: 'name', example: 'web-1' }, (text) =>
  VM_NAME.test(text)
    ? undefined
    : `is not a name ("${text}"); use up to 63 lower-case letters, digits, - and .`,
);

/** A name that is a step of a path, such as `maintenance.nightly`. */
export const stepNameField = textField({ unit: 'name', example: 'nightly' }, (text) =>
  DNS_LABEL.test(text)
    ? undefined
    : `is not a name ("${text}"); use up to 63 lower-case letters, digits and -`,
);

export const namespaceField = textField({ unit: 'namespace', example: 'default' }, (text) =>
  DNS_LABEL.test(text)
    ? undefined
    : `is not a namespace ("${text}"); use up to 63 lower-case letters, digits and -`,
);

export const uuidField = textField(
  { unit: 'UUID', example: '5d307ca9-b3ef-428c-8861-06e72d69f223' },
  (text) => (UUID.test(text) ? undefined : `is not a UUID ("${text}"); write 8-4-4-4-12 hexadecimal digits`),
);

/** Words of a hypervisor's option: no spaces, no control characters. */
export function optionField(meta: FieldMeta) {
  return textField(meta, (text) =>
    /^[A-Za-z0-9_.,=+:-]{1,256}$/.test(text)
      ? undefined
      : `is not an option ("${text}"); write one such as ${meta.example}`,
  );
}

/** One argument of a command line, passed as it is. */
export const argumentField = textField({ unit: 'text', example: '-nodefaults' }, (text) => {
  if (text === '') return 'is empty; remove it';
  return hasControlCharacters(text) ? 'has a control character; leave it out' : undefined;
});

/** Labels and annotations: text to text. */
export const textMapField = z.record(z.string(), z.string().meta({ unit: 'text', example: 'web' }));
