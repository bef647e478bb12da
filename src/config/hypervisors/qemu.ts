import { basename } from 'node:path';
import { given } from '../../model/given.js';
import type { NetworkInterface, WatchdogDevice } from '../../model/hypervisor.js';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import type { Architecture, Manifest } from '../virtual-machine.js';
import {
  type BuildContext,
  disksOf,
  kernelOf,
  memoryOf,
  processOf,
  type Refuse,
  refuseSmallMaxMemory,
  tapOf,
  warnIfBootless,
} from './hardware.js';
import type { HypervisorKind } from './kind.js';
import { qemuSchema, type WrittenQemu } from './qemu-schema.js';

export const MACHINES: Readonly<
  Record<Architecture, { readonly program: string; readonly machine: string }>
> = {
  amd64: { program: 'qemu-system-x86_64', machine: 'q35' },
  arm64: { program: 'qemu-system-aarch64', machine: 'virt' },
  s390x: { program: 'qemu-system-s390x', machine: 's390-ccw-virtio' },
};

function programArchitecture(binary: string | undefined): Architecture | undefined {
  if (binary === undefined) return undefined;
  const found = Object.entries(MACHINES).find(([, { program }]) => program === basename(binary));
  return found?.[0] as Architecture | undefined;
}

export function architectureOf(
  manifest: Manifest,
  qemu: Pick<WrittenQemu, 'binary'>,
  hostArchitecture: Architecture,
  refuse: Refuse,
): Architecture {
  const ofProgram = programArchitecture(qemu.binary);
  const { architecture } = manifest;
  if (ofProgram !== undefined && architecture !== undefined && ofProgram !== architecture) {
    const program = MACHINES[architecture].program;
    refuse(
      ['binary'],
      `is for ${ofProgram}, but the manifest's architecture is ${architecture}; use ${program}`,
    );
  }
  return architecture ?? ofProgram ?? hostArchitecture;
}

function interfaceOf({ user, tap }: NonNullable<WrittenQemu['interfaces']>[number]): NetworkInterface {
  if (tap !== undefined) return tapOf(tap);
  const forwards = (user?.forwards ?? []).map((forward) => ({
    ...forward,
    hostAddress: forward.hostAddress ?? '127.0.0.1',
  }));
  return { type: 'user', forwards };
}

/** The watchdog, from the manifest, changed by the host document; `refuse` where it cannot work. */
export function watchdogOf(
  qemu: Pick<WrittenQemu, 'watchdog'>,
  machine: { readonly architecture: Architecture; readonly hasAcpi: boolean },
  { manifest, problems, refuse: refuseHost }: BuildContext,
): WatchdogDevice | undefined {
  const { watchdog: asked } = manifest;
  const { watchdog: own } = qemu;
  if (asked === undefined && own === undefined) return undefined;
  const fromHost = (field: string, message: string) => refuseHost(['watchdog', field], message);
  const refuse = (field: 'model' | 'action', message: string) => {
    if (own?.[field] !== undefined || asked === undefined) return fromHost(field, message);
    const device = ['spec', 'template', 'spec', 'domain', 'devices', 'watchdog', asked.model];
    const path = field === 'model' ? device : [...device, 'action'];
    problems.add(
      field === 'model' ? manifest.document.placeOfKey(path) : manifest.document.placeOf(path),
      path,
      message,
    );
  };
  const fits = machine.architecture === 's390x' ? 'diag288' : 'i6300esb';
  const model = own?.model ?? asked?.model ?? fits;
  const action = own?.action ?? asked?.action ?? 'pause';
  if (own?.model !== undefined && asked !== undefined && own.model !== asked.model) {
    fromHost('model', `is ${own.model}, but the manifest asks for ${asked.model}; keep one of them`);
  } else if (model !== fits) {
    refuse('model', `${model} does not exist on ${machine.architecture}; use ${fits}`);
  }
  if (action === 'shutdown' && !machine.hasAcpi) {
    refuse('action', 'shutdown needs ACPI, which is switched off for this VM; use poweroff, reset or pause');
  }
  return { name: own?.name ?? asked?.name ?? 'watchdog', model, action };
}

export function hasAcpi(manifest: Manifest, machine: string, qemu: Pick<WrittenQemu, 'extraArgs'>): boolean {
  const isOff =
    /(^|,)acpi=off(,|$)/.test(machine) || (qemu.extraArgs ?? []).some((arg) => /^--?no-acpi$/.test(arg));
  return manifest.acpi && !isOff;
}

/** Merges manifest and host document into a complete QemuSpec. Undefined where something is missing. */
function build(qemu: WrittenQemu, context: BuildContext): QemuSpec | undefined {
  const { manifest, refuse } = context;
  const architecture = architectureOf(manifest, qemu, context.hostArchitecture, refuse);
  const machine = qemu.machine ?? manifest.machine ?? MACHINES[architecture].machine;
  const hardware = { architecture, hasAcpi: hasAcpi(manifest, machine, qemu) };
  const watchdog = watchdogOf(qemu, hardware, context);
  const memoryMiB = memoryOf(qemu, context);
  if (memoryMiB === undefined) return undefined;
  refuseSmallMaxMemory(qemu.maxMemory, memoryMiB, refuse);
  warnIfBootless(qemu, context);
  return {
    driver: 'qemu',
    binary: qemu.binary ?? MACHINES[architecture].program,
    machine,
    accel: qemu.accel ?? 'auto',
    ...given({ cpu: qemu.cpu }),
    memoryMiB,
    ...given({ maxMemoryMiB: qemu.maxMemory }),
    vcpus: qemu.vcpus ?? manifest.vcpus ?? 1,
    ...(qemu.kernel === undefined ? {} : { kernel: kernelOf(qemu.kernel) }),
    disks: disksOf(qemu.disks, context),
    interfaces: (qemu.interfaces ?? []).map(interfaceOf),
    ...agentsOf(qemu),
    pvpanic: qemu.adopt === undefined && (qemu.pvpanic ?? architecture !== 's390x'),
    ...given({ watchdog }),
    ...processOf(qemu, Math.max(memoryMiB, qemu.maxMemory ?? 0), context),
    extraArgs: qemu.extraArgs ?? [],
    ...(qemu.adopt === undefined ? {} : { adopt: given(qemu.adopt) }),
  };
}

function agentsOf({
  adopt,
  guestAgent = true,
  vmpulseAgent = false,
}: WrittenQemu): Pick<QemuSpec, 'guestAgent' | 'vmpulseAgent'> {
  const qemu = adopt === undefined ? guestAgent : adopt.agentSocket !== undefined;
  const own = adopt === undefined ? vmpulseAgent : adopt.vmpulseAgentSocket !== undefined;
  return { guestAgent: qemu || own, ...(own ? { vmpulseAgent: qemu ? 'beside' : 'alone' } : {}) };
}

export const qemu: HypervisorKind<WrittenQemu> = {
  schema: qemuSchema,
  build,
  agentRemedy: ({ adopt }) => (adopt === undefined ? 'remove guestAgent: false' : 'add adopt.agentSocket'),
};
