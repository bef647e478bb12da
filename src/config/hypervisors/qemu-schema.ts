import { isIPv4 } from 'node:net';
import { z } from 'zod';
import {
  absolutePathField,
  booleanField,
  portField,
  socketPathField,
  textField,
} from '../../probes/fields.js';
import { memoryField, optionField } from '../fields.js';
import {
  extraArgumentsField,
  imageDiskField,
  kernelField,
  processFields,
  programField,
  refuseBesideAdopt,
  tapField,
  vcpusField,
} from './hardware-schema.js';

const OWN_ARGUMENTS: ReadonlySet<string> = new Set(['-daemonize', '-pidfile', '-name', '-uuid']);

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

const networkInterface = z
  .strictObject({
    user: z.strictObject({ forwards: z.array(forward).max(64).optional() }).optional(),
    tap: tapField.optional(),
  })
  .superRefine((written, ctx) => {
    if ((written.user === undefined) !== (written.tap === undefined)) return;
    const message =
      written.user === undefined ? 'has no type; add user: {} or tap' : 'has two types; keep user or tap';
    ctx.addIssue({ code: 'custom', message, input: written });
  });

export const watchdogField = z.strictObject({
  name: optionField({ unit: 'name', example: 'watchdog' }).optional(),
  model: z.enum(['i6300esb', 'diag288']).meta({ unit: 'choice', example: 'i6300esb' }).optional(),
  action: z
    .enum(['pause', 'poweroff', 'reset', 'shutdown'])
    .meta({ unit: 'choice', example: 'pause' })
    .optional(),
});

const adopt = z.strictObject({
  qmpSocket: socketPathField,
  agentSocket: socketPathField.optional(),
  vmpulseAgentSocket: socketPathField.optional(),
  pidFile: absolutePathField.optional(),
});

/** A QEMU VM as its host document writes it: how to build it, or where to find it. */
export const qemuSchema = z
  .strictObject({
    binary: programField('qemu-system-x86_64').optional(),
    machine: optionField({ unit: 'machine type', example: 'q35' }).optional(),
    accel: z.enum(['auto', 'kvm', 'tcg']).meta({ unit: 'choice', example: 'auto' }).optional(),
    cpu: optionField({ unit: 'CPU model', example: 'host' }).optional(),
    memory: memoryField.optional(),
    maxMemory: memoryField.optional(),
    vcpus: vcpusField.optional(),
    kernel: kernelField.optional(),
    disks: z.array(imageDiskField).max(64).optional(),
    interfaces: z.array(networkInterface).max(16).optional(),
    guestAgent: booleanField.optional(),
    vmpulseAgent: booleanField.optional(),
    pvpanic: booleanField.optional(),
    watchdog: watchdogField.optional(),
    ...processFields,
    extraArgs: extraArgumentsField(OWN_ARGUMENTS).optional(),
    adopt: adopt.optional(),
  })
  .superRefine(refuseBesideAdopt);

export type WrittenQemu = z.output<typeof qemuSchema>;
