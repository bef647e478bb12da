import { basename, normalize } from 'node:path';
import type { DiskSpec, NetworkInterface, QemuSpec, WatchdogDevice } from '../model/vm.js';
import type { PathStep, ProblemList } from './problems.js';
import type { WrittenQemu } from './qemu-schema.js';
import type { Architecture, Manifest } from './virtual-machine.js';
import type { HostBinding } from './virtual-machine-host.js';

export const QEMU_PATH = ['spec', 'hypervisor', 'qemu'] as const;

const MACHINES: Readonly<Record<Architecture, { readonly program: string; readonly machine: string }>> = {
  amd64: { program: 'qemu-system-x86_64', machine: 'q35' },
  arm64: { program: 'qemu-system-aarch64', machine: 'virt' },
  s390x: { program: 'qemu-system-s390x', machine: 's390-ccw-virtio' },
};

type Refuse = (path: readonly PathStep[], message: string) => void;

function programArchitecture(binary: string | undefined): Architecture | undefined {
  if (binary === undefined) return undefined;
  const found = Object.entries(MACHINES).find(([, { program }]) => program === basename(binary));
  return found?.[0] as Architecture | undefined;
}

function architectureOf(
  manifest: Manifest,
  qemu: WrittenQemu,
  hostArchitecture: Architecture,
  refuse: Refuse,
): Architecture {
  const ofProgram = programArchitecture(qemu.binary);
  const { architecture } = manifest;
  if (ofProgram !== undefined && architecture !== undefined && ofProgram !== architecture) {
    const program = MACHINES[architecture].program;
    refuse(
      [...QEMU_PATH, 'binary'],
      `is for ${ofProgram}, but the manifest's architecture is ${architecture}; use ${program}`,
    );
  }
  return architecture ?? ofProgram ?? hostArchitecture;
}

function disksOf(qemu: WrittenQemu, refuse: Refuse): readonly DiskSpec[] {
  const names = new Set<string>();
  return (qemu.disks ?? []).map(({ name = '', path, format, readOnly = false }, index) => {
    const disk = { name: name === '' ? `disk${index}` : name, path: normalize(path), format, readOnly };
    if (names.has(disk.name))
      refuse(
        [...QEMU_PATH, 'disks', index, 'name'],
        `"${disk.name}" is already the name of a disk above; choose another`,
      );
    names.add(disk.name);
    return disk;
  });
}

function interfaceOf({ user, tap }: NonNullable<WrittenQemu['interfaces']>[number]): NetworkInterface {
  if (tap !== undefined)
    return {
      type: 'tap',
      device: tap.device,
      ...(tap.mac === undefined ? {} : { mac: tap.mac.toLowerCase() }),
    };
  const forwards = (user?.forwards ?? []).map((forward) => ({
    ...forward,
    hostAddress: forward.hostAddress ?? '127.0.0.1',
  }));
  return { type: 'user', forwards };
}

/** The watchdog, from the manifest, changed by the host document; `refuse` where it cannot work. */
function watchdogOf(
  manifest: Manifest,
  qemu: WrittenQemu,
  machine: { readonly architecture: Architecture; readonly hasAcpi: boolean },
  problems: ProblemList,
  host: HostBinding,
): WatchdogDevice | undefined {
  const { watchdog: asked } = manifest;
  const { watchdog: own } = qemu;
  if (asked === undefined && own === undefined) return undefined;
  const fromHost = (field: string, message: string) => {
    const path = [...QEMU_PATH, 'watchdog', field];
    problems.add(host.document.placeOf(path), path, message);
  };
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

function hasAcpi(manifest: Manifest, machine: string, qemu: WrittenQemu): boolean {
  const isOff =
    /(^|,)acpi=off(,|$)/.test(machine) || (qemu.extraArgs ?? []).some((arg) => /^--?no-acpi$/.test(arg));
  return manifest.acpi && !isOff;
}

/** Merges manifest and host document into a complete QemuSpec. Undefined where something is missing. */
export function buildQemu(
  manifest: Manifest,
  host: HostBinding,
  hostArchitecture: Architecture,
  problems: ProblemList,
): QemuSpec | undefined {
  const { qemu } = host;
  const refuse: Refuse = (path, message) => problems.add(host.document.placeOf(path), path, message);
  const architecture = architectureOf(manifest, qemu, hostArchitecture, refuse);
  const machine = qemu.machine ?? manifest.machine ?? MACHINES[architecture].machine;
  const watchdog = watchdogOf(
    manifest,
    qemu,
    { architecture, hasAcpi: hasAcpi(manifest, machine, qemu) },
    problems,
    host,
  );
  const memoryMiB = qemu.memory ?? manifest.memoryMiB;
  if (memoryMiB === undefined && qemu.adopt === undefined) {
    refuse(QEMU_PATH, 'has no memory, nor has the manifest; add memory, for example memory: 2Gi');
    return undefined;
  }
  return {
    driver: 'qemu',
    binary: qemu.binary ?? MACHINES[architecture].program,
    machine,
    accel: qemu.accel ?? 'auto',
    ...(qemu.cpu === undefined ? {} : { cpu: qemu.cpu }),
    memoryMiB: memoryMiB ?? 0,
    vcpus: qemu.vcpus ?? manifest.vcpus ?? 1,
    ...(qemu.kernel === undefined ? {} : { kernel: kernelOf(qemu.kernel) }),
    disks: disksOf(qemu, refuse),
    interfaces: (qemu.interfaces ?? []).map(interfaceOf),
    guestAgent: qemu.adopt === undefined ? (qemu.guestAgent ?? true) : qemu.adopt.agentSocket !== undefined,
    pvpanic: qemu.adopt === undefined && (qemu.pvpanic ?? architecture !== 's390x'),
    ...(watchdog === undefined ? {} : { watchdog }),
    extraArgs: qemu.extraArgs ?? [],
    ...(qemu.adopt === undefined ? {} : { adopt: adoptOf(qemu.adopt) }),
  };
}

function kernelOf({
  image,
  initrd,
  append = '',
}: NonNullable<WrittenQemu['kernel']>): NonNullable<QemuSpec['kernel']> {
  return { image, ...(initrd === undefined ? {} : { initrd }), append };
}

function adoptOf({
  qmpSocket,
  agentSocket,
  pidFile,
}: NonNullable<WrittenQemu['adopt']>): NonNullable<QemuSpec['adopt']> {
  return {
    qmpSocket,
    ...(agentSocket === undefined ? {} : { agentSocket }),
    ...(pidFile === undefined ? {} : { pidFile }),
  };
}
