import { join } from 'node:path';
import type { LibvirtSpec } from '../../model/hypervisors/libvirt.js';
import type { VmSpec } from '../../model/vm.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import { type VmPaths, vmPaths } from '../vmm/paths.js';
import type { DomainRef } from './rpc/domain.js';

export type LibvirtVm = VmSpec<LibvirtSpec>;

export interface LibvirtPaths extends VmPaths {
  readonly consoleSocket: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The monitor is libvirt's, and lies in a folder of its own. */
export function libvirtPaths(runDir: string, vm: LibvirtVm): LibvirtPaths {
  const paths = vmPaths(runDir, vm, ['tty.sock']);
  return { ...paths, consoleSocket: join(paths.folder, 'tty.sock') };
}

/** What libvirt writes onto the command line of each QEMU. */
export function libvirtMark({ uuid, hypervisor: { adopt } }: LibvirtVm): VmmMark {
  if (adopt !== undefined && !isUuid(adopt.domain))
    return {
      argv: { options: ['-name'], values: [`guest=${adopt.domain.toLowerCase()}`] },
      firstArg: '-name',
    };
  const own = adopt?.domain ?? uuid;
  return { argv: { options: ['-uuid'], values: [own.toLowerCase()] }, firstArg: '-name' };
}

/** Names of Kubernetes have no underscore, so no two VMs share a domain's name. */
export function domainName({ namespace, name }: LibvirtVm): string {
  return `${namespace}_${name}`;
}

/** The domain as far as it is known without libvirt: what its QEMU was told comes first. */
export function domainOf(vm: LibvirtVm, argv: readonly string[]): DomainRef {
  const { adopt } = vm.hypervisor;
  const valueAfter = (option: string) => argv[argv.indexOf(option) + 1];
  const uuid = argv.includes('-uuid') ? valueAfter('-uuid') : undefined;
  const name = argv.includes('-name') ? /^guest=([^,]+)/.exec(valueAfter('-name') ?? '')?.[1] : undefined;
  return {
    uuid: uuid ?? (adopt !== undefined && isUuid(adopt.domain) ? adopt.domain : vm.uuid),
    // It is found by its UUID; a name it must have.
    name: name ?? (adopt === undefined ? domainName(vm) : adopt.domain),
  };
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
