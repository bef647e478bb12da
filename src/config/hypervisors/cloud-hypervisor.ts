import { z } from 'zod';
import { given } from '../../model/given.js';
import type { CloudHypervisorSpec } from '../../model/hypervisors/cloud-hypervisor.js';
import { absolutePathField, booleanField, socketPathField } from '../../probes/fields.js';
import { memoryField } from '../fields.js';
import {
  type BuildContext,
  disksOf,
  kernelOf,
  memoryOf,
  processOf,
  refuseGuestDevices,
  tapOf,
  warnIfBootless,
} from './hardware.js';
import {
  diskField,
  extraArgumentsField,
  kernelField,
  processFields,
  programField,
  refuseAgentWithoutVsock,
  refuseBesideAdopt,
  tapField,
  vcpusField,
  vsockField,
} from './hardware-schema.js';
import type { HypervisorKind } from './kind.js';

const OWN_ARGUMENTS: ReadonlySet<string> = new Set([
  '-api-socket',
  '-event-monitor',
  '-platform',
  '-serial',
  '-console',
  '-restore',
]);

const schema = z
  .strictObject({
    binary: programField('cloud-hypervisor').optional(),
    memory: memoryField.optional(),
    vcpus: vcpusField.optional(),
    kernel: kernelField.optional(),
    firmware: absolutePathField.optional(),
    disks: z
      .array(diskField(['raw', 'qcow2']))
      .max(64)
      .optional(),
    interfaces: z
      .array(z.strictObject({ tap: tapField }))
      .max(16)
      .optional(),
    vsock: vsockField.optional(),
    vmpulseAgent: booleanField.optional(),
    watchdog: booleanField.optional(),
    pvpanic: booleanField.optional(),
    ...processFields,
    extraArgs: extraArgumentsField(OWN_ARGUMENTS).optional(),
    adopt: z
      .strictObject({
        apiSocket: socketPathField,
        eventsFile: absolutePathField.optional(),
        vsockSocket: socketPathField.optional(),
        pidFile: absolutePathField.optional(),
      })
      .optional(),
  })
  .superRefine(refuseBesideAdopt)
  .superRefine(refuseAgentWithoutVsock)
  .superRefine(({ kernel, firmware }, ctx) => {
    if (kernel === undefined || firmware === undefined) return;
    const message = 'cannot stand beside kernel: a VM boots one of them; remove one';
    ctx.addIssue({ code: 'custom', message, path: ['firmware'], input: firmware });
  });

type Written = z.output<typeof schema>;

function build(written: Written, context: BuildContext): CloudHypervisorSpec | undefined {
  const { refuse, manifest } = context;
  refuseGuestDevices(context, 'Cloud Hypervisor', 'watchdog: true');
  const memoryMiB = memoryOf(written, context);
  if (memoryMiB === undefined) return undefined;
  const { adopt, firmware, kernel, vsock } = written;
  if (kernel === undefined && firmware === undefined && adopt === undefined)
    refuse([], 'has neither kernel nor firmware, and cannot boot; add one of them');
  warnIfBootless(written, context);
  return {
    driver: 'cloud-hypervisor',
    binary: written.binary ?? 'cloud-hypervisor',
    memoryMiB,
    vcpus: written.vcpus ?? manifest.vcpus ?? 1,
    ...(kernel === undefined ? {} : { kernel: kernelOf(kernel) }),
    ...given({ firmware }),
    disks: disksOf(written.disks, context),
    interfaces: (written.interfaces ?? []).map(({ tap }) => tapOf(tap)),
    guestAgent: written.vmpulseAgent ?? adopt?.vsockSocket !== undefined,
    watchdog: written.watchdog ?? false,
    pvpanic: adopt === undefined && (written.pvpanic ?? true),
    ...given({ vsockCid: vsock?.cid }),
    ...processOf(written, memoryMiB, context),
    extraArgs: written.extraArgs ?? [],
    ...(adopt === undefined ? {} : { adopt: given(adopt) }),
  };
}

export const cloudHypervisor: HypervisorKind<Written> = {
  schema,
  build,
  agentRemedy: ({ adopt }) =>
    adopt === undefined ? 'add vsock and vmpulseAgent: true' : 'add adopt.vsockSocket',
};
