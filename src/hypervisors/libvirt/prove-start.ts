import { Deadline } from '../../model/deadline.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { DiskSpec } from '../../model/hypervisor.js';
import type { VmSpec } from '../../model/vm.js';
import type { Accelerators } from '../qemu/accelerator.js';
import { type Accelerator, tcgCacheMiB } from '../qemu/command-line.js';
import { type ProofContext, proveStart, type StartPlan } from '../vmm/prove-start.js';
import { describeDomain } from './domain-description.js';
import { isUuid, type LibvirtVm } from './libvirt-vm.js';
import { backingFile } from './qcow2.js';
import type { DomainRef } from './rpc/domain.js';
import { askLibvirt } from './rpc/libvirt.js';
import { libvirtPlace } from './uri.js';

/** What QEMU needs beside the guest's memory. */
const VMM_OVERHEAD_MIB = 64;
const ASK_MS = 5_000;

export type LibvirtPlan = StartPlan & {
  readonly accelerator: Accelerator;
  /** As DomainChoices has them. */
  readonly images: ReadonlyMap<string, string>;
  /** The domain that libvirt keeps; unset: it is built. */
  readonly kept?: DomainRef;
};

/** As proveStart, with what is libvirt's own: that it answers, and for an adopted domain what its definition names. */
export async function proveLibvirtStart(
  vm: LibvirtVm,
  context: ProofContext,
  accelerators: Accelerators,
  deadline: Deadline,
): Promise<LibvirtPlan> {
  return vm.hypervisor.adopt === undefined
    ? proveBuilt(vm, context, accelerators, deadline)
    : proveKept(vm, vm.hypervisor.adopt.domain, context, deadline);
}

async function proveBuilt(
  vm: LibvirtVm,
  context: ProofContext,
  accelerators: Accelerators,
  deadline: Deadline,
): Promise<LibvirtPlan> {
  const { kernel, memoryMiB, disks } = vm.hypervisor;
  const [choice, unreachable] = await Promise.all([
    accelerators.choose(vm, deadline),
    whyUnreachable(vm, deadline),
  ]);
  const accelerator = 'accelerator' in choice ? choice.accelerator : 'tcg';
  const unspeakable = [kernel?.image, kernel?.initrd, ...disks.map(({ path }) => path)].filter(
    // XML has no way to write them.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    (path) => path !== undefined && /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(path),
  );
  const own = {
    problems: [
      ...('problem' in choice ? [choice.problem] : []),
      ...unreachable,
      ...unspeakable.map((path) => `${path}: libvirt takes no path with control characters; rename it`),
    ],
    files: { kernel: kernel?.image, initrd: kernel?.initrd },
    devices: [],
    overheadMiB: VMM_OVERHEAD_MIB + (accelerator === 'tcg' ? tcgCacheMiB(memoryMiB) : 0),
  };
  return {
    ...(await proveStart(vm, context, own, deadline)),
    accelerator,
    images: await imagesOf(disks, deadline),
  };
}

async function imagesOf(
  disks: readonly DiskSpec[],
  deadline: Deadline,
): Promise<ReadonlyMap<string, string>> {
  const made = disks.filter(({ overlay }) => overlay !== undefined);
  const images = await deadline.race(
    Promise.all(made.map(async ({ path }) => [path, await backingFile(path)] as const)),
  );
  return new Map(images.flatMap(([path, image]) => (image === undefined ? [] : [[path, image]])));
}

async function whyUnreachable(vm: LibvirtVm, deadline: Deadline): Promise<readonly string[]> {
  const asked = new Deadline('a question to libvirt', deadline.step(ASK_MS));
  try {
    await askLibvirt(libvirtPlace(vm.hypervisor.uri), (libvirt) => libvirt.version(asked));
    return [];
  } catch (error) {
    deadline.check();
    return [`libvirt does not answer: ${errorMessage(error)}; start it, or correct hypervisor.libvirt.uri`];
  }
}

async function proveKept(
  vm: LibvirtVm,
  wanted: string,
  context: ProofContext,
  deadline: Deadline,
): Promise<LibvirtPlan> {
  const { kept, description } = await askLibvirt(libvirtPlace(vm.hypervisor.uri), async (libvirt) => {
    const domain = await libvirt.lookup(isUuid(wanted) ? { uuid: wanted } : { name: wanted }, deadline);
    return { kept: domain, description: describeDomain(await libvirt.xml(domain, deadline)) };
  }).catch((error: unknown) => {
    if (!isVmpulseError(error, 'ERR_VMPULSE_VM_NOT_RUNNING') && !isVmpulseError(error, 'ERR_VMPULSE_CHANNEL'))
      throw error;
    const text = `VM ${vm.id} cannot be started: ${error.message}`;
    throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text, { cause: error });
  });
  const { emulator, memoryMiB, disks } = description;
  const described: VmSpec<LibvirtVm['hypervisor']> = {
    ...vm,
    hypervisor: {
      ...vm.hypervisor,
      binary: emulator ?? vm.hypervisor.binary,
      memoryMiB,
      disks,
      interfaces: [],
    },
  };
  const own = { problems: [], files: {}, devices: [], overheadMiB: VMM_OVERHEAD_MIB };
  return {
    ...(await proveStart(described, context, own, deadline)),
    accelerator: 'kvm',
    images: new Map(),
    kept,
  };
}
