import { z } from 'zod';
import type { Hook } from '../model/hook.js';
import { ipAddressField } from '../probes/fields.js';
import { checkDocument } from './check-document.js';
import { cloudInitSchema, type WrittenCloudInit } from './cloud-init.js';
import { namespaceField, uuidField, vmNameField } from './fields.js';
import { buildHooks, hooksSchema } from './hooks-schema.js';
import { hypervisorSchema, type WrittenHypervisor } from './hypervisors/registry.js';
import { maintenanceSchema, type WrittenMaintenance } from './maintenance-schema.js';
import { monitoringProbes, monitoringSchema } from './monitoring.js';
import { namedProbeSchema, roleProbeSchema, type WrittenProbe } from './probe-schema.js';
import type { ProblemList } from './problems.js';
import { vmRecoverySchema, type WrittenRecovery } from './recovery-schema.js';
import type { SourceDocument } from './source-document.js';

/** The document that binds a manifest to this host. */
export const virtualMachineHostSchema = z.strictObject({
  apiVersion: z.literal('vmpulse.dev/v1'),
  kind: z.literal('VirtualMachineHost'),
  metadata: z.strictObject({ name: vmNameField, namespace: namespaceField.optional() }),
  spec: z.strictObject({
    hypervisor: hypervisorSchema,
    address: ipAddressField.optional(),
    uuid: uuidField.optional(),
    startupProbe: roleProbeSchema('startup').optional(),
    livenessProbe: roleProbeSchema('liveness').optional(),
    readinessProbe: roleProbeSchema('readiness').optional(),
    probes: z.array(namedProbeSchema).max(64).optional(),
    monitoring: monitoringSchema.optional(),
    recovery: vmRecoverySchema.optional(),
    maintenance: maintenanceSchema.optional(),
    cloudInit: cloudInitSchema.optional(),
    hooks: hooksSchema.optional(),
  }),
});

/** A probe and where it was written, below `spec`. */
interface PlacedProbe {
  readonly probe: WrittenProbe;
  readonly path: readonly (string | number)[];
  /** Which of several that were written there as one; unset: it is the only one. */
  readonly which?: string;
}

/** What a host document says of a VM. */
export interface HostBinding {
  readonly document: SourceDocument;
  readonly namespace: string;
  readonly name: string;
  readonly hypervisor: WrittenHypervisor;
  readonly address: string | undefined;
  readonly uuid: string | undefined;
  readonly probes: readonly PlacedProbe[];
  readonly recovery: WrittenRecovery | undefined;
  readonly maintenance: WrittenMaintenance;
  readonly cloudInit: WrittenCloudInit | undefined;
  readonly hooks: readonly Hook[];
}

type WrittenSpec = z.output<typeof virtualMachineHostSchema>['spec'];

function placedProbes(spec: WrittenSpec): readonly PlacedProbe[] {
  const roles = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((field) => {
    const probe = spec[field];
    return probe === undefined ? [] : [{ probe, path: ['spec', field] }];
  });
  return [
    ...roles,
    ...(spec.probes ?? []).map((probe, index) => ({ probe, path: ['spec', 'probes', index] })),
    ...(spec.monitoring === undefined ? [] : monitoringProbes(spec.monitoring)).map((probe) => ({
      probe,
      path: ['spec', 'monitoring'],
      which: probe.name,
    })),
  ];
}

/** Reads a `vmpulse.dev/v1 VirtualMachineHost`. */
export function readHostBinding(document: SourceDocument, problems: ProblemList): HostBinding | undefined {
  const written = checkDocument(document, virtualMachineHostSchema, 'VirtualMachineHost', problems);
  if (written === undefined) return undefined;
  const { metadata, spec } = written;
  return {
    document,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    hypervisor: spec.hypervisor,
    address: spec.address,
    uuid: spec.uuid?.toLowerCase(),
    probes: placedProbes(spec),
    recovery: spec.recovery,
    maintenance: spec.maintenance ?? [],
    cloudInit: spec.cloudInit,
    hooks: buildHooks(spec.hooks),
  };
}
