import { isIPv4 } from 'node:net';
import { z } from 'zod';
import {
  absolutePathField,
  absolutePathProblem,
  booleanField,
  countField,
  portField,
  socketPathField,
  textField,
} from '../probes/fields.js';
import { argumentField, memoryField, optionField } from './fields.js';

/** Arguments that vmpulse sets itself; a second one would take the VMM out of its hands. */
const OWN_ARGUMENTS: ReadonlySet<string> = new Set(['-daemonize', '-pidfile', '-name', '-uuid']);
const DISK_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,30}$/;
const TAP_NAME = /^[A-Za-z0-9_.-]{1,15}$/;
const UNICAST_MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;

const binary = textField({ unit: 'program', example: 'qemu-system-x86_64' }, (text) => {
  if (!text.includes('/'))
    return /^[A-Za-z0-9_.+-]+$/.test(text)
      ? undefined
      : `is not a program ("${text}"); write a name in PATH or an absolute path`;
  return absolutePathProblem(text);
});

const kernel = z.strictObject({
  image: absolutePathField,
  initrd: absolutePathField.optional(),
  append: textField({ unit: 'text', example: 'console=ttyS0' }, (text) =>
    text.length > 2047 ? `is ${text.length} characters long; the kernel takes at most 2047` : undefined,
  ).optional(),
});

const disk = z.strictObject({
  name: textField({ unit: 'name', example: 'root' }, (text) =>
    DISK_NAME.test(text)
      ? undefined
      : `is not a disk name ("${text}"); begin with a letter, then letters, digits, - and _`,
  ).optional(),
  path: absolutePathField,
  format: z.enum(['raw', 'qcow2']).meta({ unit: 'choice', example: 'qcow2' }),
  readOnly: booleanField.optional(),
});

const ipv4Field = textField({ unit: 'IPv4 address', example: '127.0.0.1' }, (text) =>
  isIPv4(text)
    ? undefined
    : `is not an IPv4 address ("${text}"); QEMU forwards from IPv4 only, write one such as 127.0.0.1`,
);

const forward = z.strictObject({
  hostPort: portField,
  guestPort: portField,
  hostAddress: ipv4Field.optional(),
});

const tapDevice = textField({ unit: 'TAP device', example: 'tap0' }, (text) =>
  TAP_NAME.test(text) && text !== '.' && text !== '..'
    ? undefined
    : `is not a network device ("${text}"); use up to 15 letters, digits, -, _ and .`,
);

const mac = textField({ unit: 'MAC address', example: '52:54:00:12:34:56' }, (text) =>
  UNICAST_MAC.test(text)
    ? undefined
    : `is not a unicast MAC address ("${text}"); write one such as 52:54:00:12:34:56`,
);

const networkInterface = z
  .strictObject({
    user: z.strictObject({ forwards: z.array(forward).max(64).optional() }).optional(),
    tap: z.strictObject({ device: tapDevice, mac: mac.optional() }).optional(),
  })
  .superRefine((written, ctx) => {
    if ((written.user === undefined) !== (written.tap === undefined)) return;
    const message =
      written.user === undefined ? 'has no type; add user: {} or tap' : 'has two types; keep user or tap';
    ctx.addIssue({ code: 'custom', message, input: written });
  });

const watchdog = z.strictObject({
  name: optionField({ unit: 'name', example: 'watchdog' }).optional(),
  model: z.enum(['i6300esb', 'diag288']).meta({ unit: 'choice', example: 'i6300esb' }).optional(),
  action: z
    .enum(['pause', 'poweroff', 'reset', 'shutdown'])
    .meta({ unit: 'choice', example: 'pause' })
    .optional(),
});

const extraArgument = argumentField.superRefine((text, ctx) => {
  const name = text.replace(/^--/, '-');
  if (!OWN_ARGUMENTS.has(name)) return;
  ctx.addIssue({ code: 'custom', message: `is ${name}, which vmpulse sets itself; remove it`, input: text });
});

const adopt = z.strictObject({
  qmpSocket: socketPathField,
  agentSocket: socketPathField.optional(),
  pidFile: absolutePathField.optional(),
});

/** A QEMU VM as its host document writes it: how to build it, or where to find it. */
export const qemuSchema = z
  .strictObject({
    binary: binary.optional(),
    machine: optionField({ unit: 'machine type', example: 'q35' }).optional(),
    accel: z.enum(['auto', 'kvm', 'tcg']).meta({ unit: 'choice', example: 'auto' }).optional(),
    cpu: optionField({ unit: 'CPU model', example: 'host' }).optional(),
    memory: memoryField.optional(),
    vcpus: countField({ unit: 'count', example: '2' }, 1, 1024).optional(),
    kernel: kernel.optional(),
    disks: z.array(disk).max(64).optional(),
    interfaces: z.array(networkInterface).max(16).optional(),
    guestAgent: booleanField.optional(),
    pvpanic: booleanField.optional(),
    watchdog: watchdog.optional(),
    extraArgs: z.array(extraArgument).max(256).optional(),
    adopt: adopt.optional(),
  })
  .superRefine((written, ctx) => {
    if (written.adopt === undefined) return;
    for (const field of Object.keys(written)) {
      if (field === 'adopt') continue;
      const message = 'cannot stand beside adopt: an adopted VM is never built by vmpulse; remove it';
      ctx.addIssue({ code: 'custom', message, path: [field], input: written });
    }
  });

export type WrittenQemu = z.output<typeof qemuSchema>;
