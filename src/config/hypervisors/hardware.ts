import { join, normalize } from 'node:path';
import { given } from '../../model/given.js';
import type { DiskSpec, KernelSpec, NetworkInterface, VmmSpec } from '../../model/hypervisor.js';
import type { PathStep, ProblemList } from '../problems.js';
import type { Architecture, Manifest } from '../virtual-machine.js';

/** Adds a problem at a path below the driver's mapping in the host document. */
export type Refuse = (path: readonly PathStep[], message: string) => void;

/** What a driver's mapping is merged with. */
export interface BuildContext {
  readonly manifest: Manifest;
  readonly hostArchitecture: Architecture;
  /** Of the disks that vmpulse makes for this VM. */
  readonly diskFolder: string;
  readonly problems: ProblemList;
  readonly refuse: Refuse;
  /** As `refuse`, for what is only doubtful. */
  readonly warn: Refuse;
}

interface WrittenDisk {
  readonly name?: string | undefined;
  readonly path?: string | undefined;
  readonly format?: DiskSpec['format'] | undefined;
  readonly readOnly?: boolean | undefined;
  readonly image?: string | undefined;
  /** MiB. */
  readonly size?: number | undefined;
}

interface WrittenHardware {
  readonly adopt?: unknown;
  readonly memory?: number | undefined;
  readonly disks?: readonly unknown[] | undefined;
  readonly kernel?: unknown;
  readonly extraArgs?: readonly string[] | undefined;
}

export function disksOf(
  disks: readonly WrittenDisk[] | undefined,
  { refuse, diskFolder }: Pick<BuildContext, 'refuse' | 'diskFolder'>,
): readonly DiskSpec[] {
  const names = new Set<string>();
  return (disks ?? []).map((written, index) => {
    const disk = diskOf(written, `disk${index}`, diskFolder);
    if (names.has(disk.name))
      refuse(['disks', index, 'name'], `"${disk.name}" is already the name of a disk above; choose another`);
    names.add(disk.name);
    return disk;
  });
}

const MIB = 1024 ** 2;

function diskOf(
  { name = '', path = '', format = 'raw', readOnly = false, image, size }: WrittenDisk,
  otherwise: string,
  folder: string,
): DiskSpec {
  const own = name === '' ? otherwise : name;
  if (image === undefined) return { name: own, path: normalize(path), format, readOnly };
  const overlay = { image, ...(size === undefined ? {} : { bytes: size * MIB }) };
  return { name: own, path: join(folder, `${own}.qcow2`), format: 'qcow2', readOnly: false, overlay };
}

export function tapOf({
  device,
  mac,
  bridge,
  create,
}: {
  readonly device: string;
  readonly mac?: string | undefined;
  readonly bridge?: string | undefined;
  readonly create?: boolean | undefined;
}): NetworkInterface {
  return {
    type: 'tap',
    device,
    ...given({ mac: mac?.toLowerCase(), bridge }),
    ...(create === true ? { create } : {}),
  };
}

export function kernelOf(kernel: {
  readonly image: string;
  readonly initrd?: string | undefined;
  readonly append?: string | undefined;
}): KernelSpec {
  const { image, initrd, append = '' } = kernel;
  return { image, ...given({ initrd }), append };
}

/** The VM's memory; 0 for an adopted one of which nobody says it; undefined, with a problem, where it is missing. */
export function memoryOf(written: WrittenHardware, { manifest, refuse }: BuildContext): number | undefined {
  const memoryMiB = written.memory ?? manifest.memoryMiB ?? (written.adopt === undefined ? undefined : 0);
  if (memoryMiB === undefined)
    refuse([], 'has no memory, nor has the manifest; add memory, for example memory: 2Gi');
  return memoryMiB;
}

export function refuseSmallMaxMemory(maxMiB: number | undefined, memoryMiB: number, refuse: Refuse): void {
  if (maxMiB === undefined || maxMiB >= memoryMiB) return;
  refuse(['maxMemory'], `is less than the memory of the VM (${memoryMiB} MiB); raise it, or leave it out`);
}

interface WrittenProcess {
  readonly runAs?: { readonly user: string; readonly group?: string | undefined } | undefined;
  readonly limits?:
    | {
        readonly memory?: number | undefined;
        readonly cpus?: number | undefined;
        readonly tasks?: number | undefined;
      }
    | undefined;
}

/** Whom the VMM runs as, and what it may use. */
export function processOf(
  { runAs, limits }: WrittenProcess,
  memoryMiB: number,
  { refuse }: BuildContext,
): Pick<VmmSpec, 'runAs' | 'limits'> {
  const { memory, cpus, tasks } = limits ?? {};
  if (memory !== undefined && memory <= memoryMiB)
    refuse(
      ['limits', 'memory'],
      `is ${memory} MiB, and the guest alone may have ${memoryMiB} MiB; leave room for the VMM, 128 MiB or more`,
    );
  return {
    ...(runAs === undefined ? {} : { runAs: { user: runAs.user, ...given({ group: runAs.group }) } }),
    ...(limits === undefined
      ? {}
      : {
          limits: {
            ...given({ memoryMiB: memory, cpus, tasks }),
          },
        }),
  };
}

export function warnIfBootless(written: WrittenHardware, { warn }: BuildContext): void {
  const { adopt, disks = [], kernel, extraArgs = [] } = written;
  if (adopt !== undefined || disks.length > 0 || kernel !== undefined || extraArgs.length > 0) return;
  warn([], 'has neither disks nor a kernel; there is nothing that the VM could boot');
}

/** The watchdog that a manifest can ask for is a device of QEMU. `instead`: what the host document has for it. */
export function refuseGuestDevices(
  { manifest, problems }: BuildContext,
  hypervisor: string,
  instead: string | undefined,
): void {
  const { watchdog, document } = manifest;
  if (watchdog === undefined) return;
  const path = ['spec', 'template', 'spec', 'domain', 'devices', 'watchdog', watchdog.model];
  const remedy = instead === undefined ? 'remove it' : `remove it, and write ${instead} in the host document`;
  problems.add(
    document.placeOfKey(path),
    path,
    `${watchdog.model} is a device that ${hypervisor} has not; ${remedy}`,
  );
}
