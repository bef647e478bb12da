import { z } from 'zod';
import { given } from '../../model/given.js';
import type { FirecrackerSpec } from '../../model/hypervisors/firecracker.js';
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

/** More are not possible in a microVM. */
const MAX_VCPUS = 32;
const OWN_ARGUMENTS: ReadonlySet<string> = new Set([
  '-api-sock',
  '-id',
  '-config-file',
  '-log-path',
  '-metrics-path',
  '-no-api',
]);

const schema = z
  .strictObject({
    binary: programField('firecracker').optional(),
    memory: memoryField.optional(),
    vcpus: vcpusField.optional(),
    kernel: kernelField.optional(),
    disks: z
      .array(diskField(['raw']))
      .max(64)
      .optional(),
    interfaces: z
      .array(z.strictObject({ tap: tapField }))
      .max(16)
      .optional(),
    vsock: vsockField.optional(),
    vmpulseAgent: booleanField.optional(),
    ...processFields,
    extraArgs: extraArgumentsField(OWN_ARGUMENTS).optional(),
    adopt: z
      .strictObject({
        apiSocket: socketPathField,
        vsockSocket: socketPathField.optional(),
        pidFile: absolutePathField.optional(),
      })
      .optional(),
  })
  .superRefine(refuseBesideAdopt)
  .superRefine(refuseAgentWithoutVsock);

type Written = z.output<typeof schema>;

function build(written: Written, context: BuildContext): FirecrackerSpec | undefined {
  const { refuse, manifest } = context;
  refuseGuestDevices(context, 'Firecracker', undefined);
  const memoryMiB = memoryOf(written, context);
  if (memoryMiB === undefined) return undefined;
  const { adopt, kernel, vsock } = written;
  if (kernel === undefined && adopt === undefined)
    refuse([], 'has no kernel, and Firecracker boots nothing else; add kernel');
  const vcpus = written.vcpus ?? manifest.vcpus ?? 1;
  if (vcpus > MAX_VCPUS)
    refuse(
      written.vcpus === undefined ? [] : ['vcpus'],
      `is to have ${vcpus} processors; Firecracker takes at most ${MAX_VCPUS}`,
    );
  return {
    driver: 'firecracker',
    binary: written.binary ?? 'firecracker',
    memoryMiB,
    vcpus,
    ...(kernel === undefined ? {} : { kernel: kernelOf(kernel) }),
    disks: disksOf(written.disks, context),
    interfaces: (written.interfaces ?? []).map(({ tap }) => tapOf(tap)),
    guestAgent: written.vmpulseAgent ?? adopt?.vsockSocket !== undefined,
    ...given({ vsockCid: vsock?.cid }),
    ...processOf(written, memoryMiB, context),
    extraArgs: written.extraArgs ?? [],
    ...(adopt === undefined ? {} : { adopt: given(adopt) }),
  };
}

export const firecracker: HypervisorKind<Written> = {
  schema,
  build,
  agentRemedy: ({ adopt }) =>
    adopt === undefined ? 'add vsock and vmpulseAgent: true' : 'add adopt.vsockSocket',
};
