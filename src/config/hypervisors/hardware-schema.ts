import { z } from 'zod';
import {
  absolutePathField,
  absolutePathProblem,
  booleanField,
  countField,
  deviceField,
  textField,
} from '../../probes/fields.js';
import { argumentField } from '../fields.js';

/** What the host document says of a VM in the same words for every hypervisor. */

const DISK_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,30}$/;
const UNICAST_MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;

export function programField(example: string) {
  return textField({ unit: 'program', example }, (text) => {
    if (!text.includes('/'))
      return /^[A-Za-z0-9_.+-]+$/.test(text)
        ? undefined
        : `is not a program ("${text}"); write a name in PATH or an absolute path`;
    return absolutePathProblem(text);
  });
}

export const vcpusField = countField({ unit: 'count', example: '2' }, 1, 1024);

export const kernelField = z.strictObject({
  image: absolutePathField,
  initrd: absolutePathField.optional(),
  append: textField({ unit: 'text', example: 'console=ttyS0' }, (text) =>
    text.length > 2047 ? `is ${text.length} characters long; the kernel takes at most 2047` : undefined,
  ).optional(),
});

/** A disk in one of the formats that the hypervisor reads. */
export function diskField<const Formats extends readonly ['raw', ...('qcow2' | 'raw')[]]>(formats: Formats) {
  return z.strictObject({
    name: textField({ unit: 'name', example: 'root' }, (text) =>
      DISK_NAME.test(text)
        ? undefined
        : `is not a disk name ("${text}"); begin with a letter, then letters, digits, - and _`,
    ).optional(),
    path: absolutePathField,
    format: z.enum(formats).meta({ unit: 'choice', example: formats.at(-1) }),
    readOnly: booleanField.optional(),
  });
}

const mac = textField({ unit: 'MAC address', example: '52:54:00:12:34:56' }, (text) =>
  UNICAST_MAC.test(text)
    ? undefined
    : `is not a unicast MAC address ("${text}"); write one such as 52:54:00:12:34:56`,
);

export const tapField = z
  .strictObject({
    device: deviceField('TAP device', 'tap0'),
    mac: mac.optional(),
    bridge: deviceField('bridge', 'vmbr0').optional(),
    create: booleanField.optional(),
  })
  .superRefine((tap, ctx) => {
    if (tap.bridge === undefined || tap.bridge !== tap.device) return;
    const message = 'is the TAP device itself; name the bridge that it is a port of';
    ctx.addIssue({ code: 'custom', message, path: ['bridge'], input: tap });
  });

/** Further arguments; those that vmpulse sets itself would take the VMM out of its hands. */
export function extraArgumentsField(own: ReadonlySet<string>) {
  const argument = argumentField.superRefine((text, ctx) => {
    const option = text.replace(/=.*$/s, '');
    if (!option.startsWith('-') || !own.has(option.replace(/^--/, '-'))) return;
    ctx.addIssue({
      code: 'custom',
      message: `is ${option}, which vmpulse sets itself; remove it`,
      input: text,
    });
  });
  return z.array(argument).max(256);
}

/** For a driver's mapping: `adopt` stands alone in it. */
export function refuseBesideAdopt(
  written: { readonly adopt?: unknown },
  ctx: z.core.$RefinementCtx<unknown>,
): void {
  if (written.adopt === undefined) return;
  for (const field of Object.keys(written)) {
    if (field === 'adopt') continue;
    const message = 'cannot stand beside adopt: an adopted VM is never built by vmpulse; remove it';
    ctx.addIssue({ code: 'custom', message, path: [field], input: written });
  }
}

/** CIDs up to 2 are the hypervisor's, local and the host's. */
export const vsockField = z.strictObject({
  cid: countField({ unit: 'CID', example: '3' }, 3, 4_294_967_294),
});
