import { z } from 'zod';
import { imageNameProblem } from '../../images/index.js';
import {
  absolutePathField,
  absolutePathProblem,
  booleanField,
  countField,
  deviceField,
  textField,
} from '../../probes/fields.js';
import { argumentField, memoryField } from '../fields.js';

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

/** A disk of a file or device that is there, or one that vmpulse lays over an image of its store. */
export const imageDiskField = diskField(['raw', 'qcow2'])
  .extend({
    path: absolutePathField.optional(),
    format: z.enum(['raw', 'qcow2']).meta({ unit: 'choice', example: 'qcow2' }).optional(),
    image: textField({ unit: 'image', example: 'debian-12' }, imageNameProblem).optional(),
    size: memoryField.optional(),
  })
  .superRefine((disk, ctx) => {
    const refuse = (message: string, ...path: string[]) =>
      ctx.addIssue({ code: 'custom', message, path, input: disk });
    const { image, path, format, size, readOnly } = disk;
    if (image === undefined) {
      if (path === undefined) refuse('has neither path nor image; add one of them');
      else if (format === undefined) refuse('is missing; write raw or qcow2', 'format');
      if (size !== undefined) refuse('is for a disk that is laid over an image; remove it', 'size');
      return;
    }
    for (const [name, value] of Object.entries({ path, format }))
      if (value !== undefined)
        refuse('cannot stand beside image: vmpulse makes that disk, as qcow2; remove it', name);
    if (readOnly === true)
      refuse('makes no sense of a disk that is laid over an image; remove it', 'readOnly');
  });

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

const ACCOUNT_NAME = /^[a-z_][a-z0-9_.-]{0,31}\$?$/i;
const MAX_ID = 4_294_967_294;

/** A user or group, by name or number, as text. */
function accountField(unit: 'user' | 'group', example: string) {
  return z
    .union([z.string(), z.int()])
    .transform((value, ctx): string => {
      const text = String(value);
      const problem = accountProblem(unit, text);
      if (problem === undefined) return text;
      ctx.issues.push({ code: 'custom', message: problem, input: value });
      return z.NEVER;
    })
    .meta({ unit, example });
}

function accountProblem(unit: 'user' | 'group', text: string): string | undefined {
  if (unit === 'user' && (text === 'root' || text === '0'))
    return 'is root, which a VMM runs as anyway where runAs is left out; name a user of its own';
  const isId = /^\d+$/.test(text) && Number(text) <= MAX_ID;
  return isId || ACCOUNT_NAME.test(text)
    ? undefined
    : `is not a ${unit} ("${text}"); write its name or its number`;
}

const cpusField = z.number().min(0.01).max(1024).meta({ unit: 'number of processors', example: '2.5' });

/** Whom a VMM runs as, and what it may use. */
export const processFields = {
  runAs: z
    .strictObject({
      user: accountField('user', 'vm-web-1'),
      group: accountField('group', 'vm-web-1').optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      memory: memoryField.optional(),
      cpus: cpusField.optional(),
      tasks: countField({ unit: 'count', example: '64' }, 4, 1_000_000).optional(),
    })
    .optional(),
};

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

/** vmpulse's agent in the guest is reached by its vsock device. */
export function refuseAgentWithoutVsock(
  { vmpulseAgent, vsock }: { readonly vmpulseAgent?: boolean | undefined; readonly vsock?: unknown },
  ctx: z.core.$RefinementCtx<unknown>,
): void {
  if (vmpulseAgent !== true || vsock !== undefined) return;
  const message = 'is reached by vsock, which this VM has not; add vsock: {cid: 3}';
  ctx.addIssue({ code: 'custom', message, path: ['vmpulseAgent'], input: vmpulseAgent });
}
