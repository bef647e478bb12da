import { readlinkSync, statSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { basename } from 'node:path';
import type { VmSpec } from '../model/vm.js';

/** What a VM shares with others of its host, narrowest first; what cannot be found out is left out. */
export function sharesOf(vm: VmSpec, root = ''): readonly string[] {
  const { disks, interfaces } = vm.hypervisor;
  const found = [
    ...disks.map((disk) => storageOf(disk.path)),
    ...interfaces.map((nic) => (nic.type === 'tap' ? bridgeOf(nic.device, root) : undefined)),
    networkOf(vm.address),
    ...Object.entries(vm.labels).map(([key, value]) => `label ${key}=${value}`),
  ];
  return [...new Set(found.filter((share) => share !== undefined))];
}

/** The device that a file lies on, or that a block device is. */
function storageOf(path: string): string | undefined {
  try {
    const found = statSync(path);
    const dev = found.isBlockDevice() ? found.rdev : found.dev;
    return `storage ${dev >>> 8}:${dev & 0xff}`;
  } catch {
    return undefined;
  }
}

function bridgeOf(tap: string, root: string): string | undefined {
  try {
    return `bridge ${basename(readlinkSync(`${root}/sys/class/net/${tap}/master`))}`;
  } catch {
    return undefined;
  }
}

/** The way that probes take: the network of the address, /24 or /64. Loopback is no way that could break. */
function networkOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  if (isIPv4(address)) {
    return address.startsWith('127.')
      ? undefined
      : `network ${address.split('.').slice(0, 3).join('.')}.0/24`;
  }
  if (!isIPv6(address) || address === '::1') return undefined;
  const [head = '', tail = ''] = address.toLowerCase().split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail.split(':').filter((group) => group !== '');
  const whole = address.includes('::')
    ? [...groups, ...Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0'), ...rest]
    : groups;
  return `network ${whole.slice(0, 4).join(':')}::/64`;
}
