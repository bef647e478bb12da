import { basename } from 'node:path';
import type { FoundVm } from '../hypervisors/discovery/index.js';

const MAX_NAME = 63;
/** VMMs that vmpulse started carry namespace and name; what is found is of this namespace here. */
const OWN_NAMESPACE = /^default\//;

/**
 * Names by which found VMs are known here, in their order: what the VMM calls it, else its UUID, the file of its first socket
 * or disk, or its PID; made to fit the rules of names, and told apart by a number.
 */
export function nameVms(vms: readonly FoundVm[], others: ReadonlySet<string> = new Set()): string[] {
  const taken = new Set(others);
  return vms.map((vm) => {
    const wanted = asName((vm.name ?? '').replace(OWN_NAMESPACE, '')) || fallback(vm);
    let name = wanted;
    for (let number = 2; taken.has(name); number++) {
      const end = `-${number}`;
      name = `${wanted.slice(0, MAX_NAME - end.length)}${end}`;
    }
    taken.add(name);
    return name;
  });
}

function fallback({ vmm, uuid, api, monitors, disks, process }: FoundVm): string {
  if (uuid !== undefined) return `${vmm}-${uuid.slice(0, 8)}`;
  const file = api ?? monitors[0] ?? disks[0]?.path;
  const stem = file === undefined ? '' : asName(basename(file).replace(/\.[a-z0-9]+$/i, ''));
  return asName(`${vmm}-${stem || (process?.pid ?? 0)}`);
}

function asName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_NAME)
    .replace(/^-+|-+$/g, '');
}
