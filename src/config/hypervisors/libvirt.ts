import { z } from 'zod';
import { libvirtUriProblem } from '../../hypervisors/libvirt/uri.js';
import { given } from '../../model/given.js';
import type { LibvirtSpec } from '../../model/hypervisors/libvirt.js';
import { booleanField, textField } from '../../probes/fields.js';
import { memoryField } from '../fields.js';
import {
  type BuildContext,
  disksOf,
  kernelOf,
  memoryOf,
  refuseSmallMaxMemory,
  tapOf,
  warnIfBootless,
} from './hardware.js';
import {
  extraArgumentsField,
  imageDiskField,
  kernelField,
  programField,
  refuseBesideAdopt,
  tapField,
  vcpusField,
} from './hardware-schema.js';
import type { HypervisorKind } from './kind.js';
import { architectureOf, hasAcpi, MACHINES, watchdogOf } from './qemu.js';
import { watchdogField } from './qemu-schema.js';

const DEFAULT_URI = 'qemu:///system';
const ARCHITECTURES = { amd64: 'x86_64', arm64: 'aarch64', s390x: 's390x' } as const;
/** What libvirt writes itself. */
const OWN_ARGUMENTS: ReadonlySet<string> = new Set([
  '-daemonize',
  '-pidfile',
  '-name',
  '-uuid',
  '-qmp',
  '-mon',
  '-monitor',
]);

/** libvirt has elements of its own for what QEMU takes after a comma. */
function nameField(unit: string, example: string) {
  return textField({ unit, example }, (text) =>
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(text)
      ? undefined
      : `is not a ${unit} ("${text}"); write its name alone, such as ${example}`,
  );
}

const domainField = textField({ unit: 'name or UUID', example: 'web-1' }, (text) =>
  /^[^/,\s\p{C}][^/,\n\p{C}]{0,254}$/u.test(text)
    ? undefined
    : `is not the name of a domain ("${text}"); write its name or UUID, as virsh list --all --uuid --name shows them`,
);

const uriField = textField({ unit: 'URI', example: DEFAULT_URI }, libvirtUriProblem);

const schema = z
  .strictObject({
    uri: uriField.optional(),
    binary: programField('qemu-system-x86_64').optional(),
    machine: nameField('machine type', 'q35').optional(),
    accel: z.enum(['auto', 'kvm', 'tcg']).meta({ unit: 'choice', example: 'auto' }).optional(),
    cpu: nameField('CPU model', 'host').optional(),
    memory: memoryField.optional(),
    maxMemory: memoryField.optional(),
    vcpus: vcpusField.optional(),
    kernel: kernelField.optional(),
    disks: z.array(imageDiskField).max(64).optional(),
    interfaces: z
      .array(z.strictObject({ tap: tapField }))
      .max(16)
      .optional(),
    guestAgent: booleanField.optional(),
    pvpanic: booleanField.optional(),
    watchdog: watchdogField.optional(),
    extraArgs: extraArgumentsField(OWN_ARGUMENTS).optional(),
    adopt: z.strictObject({ domain: domainField, guestAgent: booleanField.optional() }).optional(),
  })
  // Whose domain it is has nothing to do with where libvirt listens.
  .superRefine(({ uri: _uri, ...hardware }, ctx) => refuseBesideAdopt(hardware, ctx));

type Written = z.output<typeof schema>;

function build(written: Written, context: BuildContext): LibvirtSpec | undefined {
  const { manifest, refuse } = context;
  const { adopt, cpu, kernel } = written;
  const architecture = architectureOf(manifest, written, context.hostArchitecture, refuse);
  const { program, machine: usual } = MACHINES[architecture];
  const machine = written.machine ?? manifest.machine ?? usual;
  const hardware = { architecture, hasAcpi: hasAcpi(manifest, machine, written) };
  const watchdog = adopt === undefined ? watchdogOf(written, hardware, context) : undefined;
  const memoryMiB = memoryOf(written, context);
  if (memoryMiB === undefined) return undefined;
  refuseSmallMaxMemory(written.maxMemory, memoryMiB, refuse);
  warnIfBootless(written, context);
  return {
    driver: 'libvirt',
    uri: written.uri ?? DEFAULT_URI,
    binary: written.binary ?? program,
    architecture: ARCHITECTURES[architecture],
    machine,
    accel: written.accel ?? 'auto',
    ...given({ cpu }),
    memoryMiB,
    ...given({ maxMemoryMiB: written.maxMemory }),
    vcpus: written.vcpus ?? manifest.vcpus ?? 1,
    ...(kernel === undefined ? {} : { kernel: kernelOf(kernel) }),
    disks: disksOf(written.disks, context),
    interfaces: (written.interfaces ?? []).map(({ tap }) => tapOf(tap)),
    guestAgent: adopt === undefined ? (written.guestAgent ?? true) : (adopt.guestAgent ?? false),
    pvpanic: adopt === undefined && (written.pvpanic ?? architecture === 'amd64'),
    ...given({ watchdog }),
    extraArgs: written.extraArgs ?? [],
    ...(adopt === undefined ? {} : { adopt: { domain: adopt.domain } }),
  };
}

export const libvirt: HypervisorKind<Written> = {
  schema,
  build,
  agentRemedy: ({ adopt }) =>
    adopt === undefined ? 'remove guestAgent: false' : 'add adopt.guestAgent: true if the domain has one',
};
