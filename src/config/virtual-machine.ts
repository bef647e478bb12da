import { z } from 'zod';
import type { RunStrategy } from '../model/vm.js';
import { booleanField, countField } from '../probes/fields.js';
import { readSteering, type Steering } from './annotations.js';
import { checkDocument } from './check-document.js';
import { memoryField, namespaceField, optionField, textMapField, uuidField, vmNameField } from './fields.js';
import { checkNames } from './kubevirt-names.js';
import { roleProbeSchema, type WrittenProbe } from './probe-schema.js';
import { formatPath, type ProblemList } from './problems.js';
import { shapeAt, shapeOf } from './schema-shape.js';
import type { SourceDocument } from './source-document.js';
import { virtualMachineHostSchema } from './virtual-machine-host.js';

const watchdogAction = z
  .strictObject({
    action: z
      .enum(['poweroff', 'reset', 'shutdown'])
      .meta({ unit: 'choice', example: 'poweroff' })
      .optional(),
  })
  .optional();

const watchdog = z
  .object({
    name: z.string().min(1).max(64).meta({ unit: 'text', example: 'watchdog' }),
    i6300esb: watchdogAction,
    diag288: watchdogAction,
  })
  .superRefine((device, ctx) => {
    if ((device.i6300esb === undefined) !== (device.diag288 === undefined)) return;
    const message =
      device.i6300esb === undefined
        ? 'has no device model; add i6300esb (x86) or diag288 (s390x)'
        : 'has two device models; keep i6300esb (x86) or diag288 (s390x)';
    ctx.addIssue({ code: 'custom', message, input: device });
  })
  .meta({ keyChoices: 'write the device model, i6300esb for x86 or diag288 for s390x' });

const cpuCount = countField({ unit: 'count', example: '2' }, 1, 1024).optional();

const domain = z.object({
  cpu: z.object({ cores: cpuCount, sockets: cpuCount, threads: cpuCount }).optional(),
  memory: z.object({ guest: memoryField.optional() }).optional(),
  resources: z.object({ requests: z.object({ memory: memoryField.optional() }).optional() }).optional(),
  machine: z.object({ type: optionField({ unit: 'machine type', example: 'q35' }).optional() }).optional(),
  firmware: z.object({ uuid: uuidField.optional() }).optional(),
  features: z.object({ acpi: z.object({ enabled: booleanField.optional() }).optional() }).optional(),
  devices: z.object({ watchdog: watchdog.optional() }).optional(),
});

/** The fields of KubeVirt's VirtualMachine that vmpulse uses; others are looked at by name only. */
const schema = z.object({
  apiVersion: z.literal('kubevirt.io/v1'),
  kind: z.literal('VirtualMachine'),
  metadata: z.object({
    name: vmNameField,
    namespace: namespaceField.optional(),
    labels: textMapField.optional(),
    annotations: textMapField.optional(),
  }),
  spec: z
    .object({
      running: booleanField.optional(),
      runStrategy: z
        .enum(['Always', 'RerunOnFailure', 'Once', 'Manual', 'Halted'])
        .meta({ unit: 'choice', example: 'Always' })
        .optional(),
      template: z.object({
        metadata: z.object({ labels: textMapField.optional() }).optional(),
        spec: z.object({
          architecture: z
            .enum(['amd64', 'arm64', 's390x'])
            .meta({ unit: 'choice', example: 'amd64' })
            .optional(),
          domain: domain.optional(),
          readinessProbe: roleProbeSchema('readiness').optional(),
          livenessProbe: roleProbeSchema('liveness').optional(),
          terminationGracePeriodSeconds: countField({ unit: 's', example: '30' }, 0, 86_400).optional(),
        }),
      }),
    })
    .superRefine((spec, ctx) => {
      if (spec.running === undefined || spec.runStrategy === undefined) return;
      const message = 'cannot stand beside runStrategy; remove it, it is the older of the two';
      ctx.addIssue({ code: 'custom', message, path: ['running'], input: spec.running });
    }),
});

const SPEC = ['spec', 'template', 'spec'] as const;
const usedShape = shapeOf(schema);
const ownFields = {
  host: new Set(shapeAt(shapeOf(virtualMachineHostSchema), ['spec'])?.properties?.keys()),
  probe: new Set(shapeAt(usedShape, [...SPEC, 'readinessProbe'])?.properties?.keys()),
};

export type Architecture = 'amd64' | 'arm64' | 's390x';

/** The watchdog as a manifest asks for it. */
interface ManifestWatchdog {
  readonly name: string;
  readonly model: 'i6300esb' | 'diag288';
  readonly action: 'poweroff' | 'reset' | 'shutdown';
}

/** What a KubeVirt manifest says of a VM, as far as vmpulse uses it. */
export interface Manifest {
  readonly document: SourceDocument;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly steering: Steering;
  readonly runStrategy: RunStrategy | undefined;
  readonly architecture: Architecture | undefined;
  readonly vcpus: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly machine: string | undefined;
  readonly uuid: string | undefined;
  readonly acpi: boolean;
  readonly watchdog: ManifestWatchdog | undefined;
  readonly probes: readonly WrittenProbe[];
  readonly gracefulStopMs: number | undefined;
}

type Written = z.output<typeof schema>;
type WrittenDomain = z.output<typeof domain>;

function watchdogOf(devices: WrittenDomain['devices']): ManifestWatchdog | undefined {
  const device = devices?.watchdog;
  if (device === undefined) return undefined;
  const model = device.i6300esb === undefined ? 'diag288' : 'i6300esb';
  // `reset` is what KubeVirt takes where nothing is said.
  return { name: device.name, model, action: device[model]?.action ?? 'reset' };
}

function runStrategyOf({ running, runStrategy }: Written['spec']): RunStrategy | undefined {
  return runStrategy ?? (running === undefined ? undefined : running ? 'Always' : 'Halted');
}

function toManifest(written: Written, document: SourceDocument, problems: ProblemList): Manifest {
  const { metadata, spec } = written;
  const instance = spec.template.spec;
  const { cpu, memory, resources, machine, firmware, features, devices } = instance.domain ?? {};
  const annotations = metadata.annotations ?? {};
  const grace = instance.terminationGracePeriodSeconds;
  return {
    document,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    labels: { ...spec.template.metadata?.labels, ...metadata.labels },
    annotations,
    steering: readSteering(annotations, document, problems),
    runStrategy: runStrategyOf(spec),
    architecture: instance.architecture,
    vcpus: cpu === undefined ? undefined : (cpu.cores ?? 1) * (cpu.sockets ?? 1) * (cpu.threads ?? 1),
    memoryMiB: memory?.guest ?? resources?.requests?.memory,
    machine: machine?.type,
    uuid: firmware?.uuid?.toLowerCase(),
    acpi: features?.acpi?.enabled ?? true,
    watchdog: watchdogOf(devices),
    probes: [instance.readinessProbe, instance.livenessProbe].filter((probe) => probe !== undefined),
    gracefulStopMs: grace === undefined ? undefined : grace * 1000,
  };
}

/** Reads a `kubevirt.io/v1 VirtualMachine`. What KubeVirt knows and vmpulse does not use is listed in one warning. */
export function readManifest(document: SourceDocument, problems: ProblemList): Manifest | undefined {
  const { unused, hasUnknown } = checkNames(document, usedShape, ownFields, problems);
  const written = checkDocument(document, schema, 'VirtualMachine', problems, 'checked');
  if (unused.length > 0) {
    const names = unused.map(formatPath).join(', ');
    problems.warn(document.placeOf([]), [], `fields of KubeVirt that vmpulse does not use: ${names}`);
  }
  return written === undefined || hasUnknown ? undefined : toManifest(written, document, problems);
}
