import { given } from '../../model/given.js';
import type { DescribedVm } from './found-vm.js';
import { isOn, type Properties, parseProperties, propertyOf, sizeMiB } from './option-text.js';

/** Options with their values; one may have several (`--disk path=a path=b`). */
function optionsOf(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const options = new Map<string, string[]>();
  let current: string[] = [];
  for (const arg of args) {
    const [, name, attached] = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) {
      current.push(arg);
      continue;
    }
    current = options.get(name) ?? [];
    options.set(name, current);
    if (attached !== undefined) current.push(attached);
  }
  return options;
}

/** Reads the arguments of Cloud Hypervisor, without the program. A VM that is made by its API alone has few. */
export function describeCloudHypervisor(args: readonly string[]): DescribedVm {
  const options = optionsOf(args);
  const lists = (name: string, implied: string): readonly Properties[] =>
    (options.get(name) ?? []).map((text) => parseProperties(text, implied));
  const first = (name: string, implied: string) => lists(name, implied)[0] ?? [];
  const memoryMiB = sizeMiB(propertyOf(first('memory', 'size'), 'size'), 1);
  const boot = Number(propertyOf(first('cpus', 'boot'), 'boot') ?? Number.NaN);
  const uuid = propertyOf(first('platform', ''), 'uuid');
  const api = propertyOf(first('api-socket', 'path'), 'path');
  const vsock = propertyOf(first('vsock', ''), 'socket');
  const log = propertyOf(first('serial', ''), 'file') ?? propertyOf(first('console', ''), 'file');
  return {
    ...given({ uuid: uuid?.toLowerCase(), memoryMiB }),
    ...(Number.isInteger(boot) ? { vcpus: boot } : {}),
    disks: lists('disk', '').flatMap((disk) => {
      const path = propertyOf(disk, 'path');
      return path === undefined ? [] : [{ path, readOnly: isOn(disk, 'readonly') }];
    }),
    taps: lists('net', '').map((net) => {
      const device = propertyOf(net, 'tap');
      const mac = propertyOf(net, 'mac')?.toLowerCase();
      return { ...(device ? { device } : {}), ...given({ mac }) };
    }),
    forwards: [],
    monitors: [],
    ...given({ api, vsock, console: log }),
  };
}
