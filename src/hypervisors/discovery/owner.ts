import { basename } from 'node:path';
import type { DescribedVm, Owner } from './found-vm.js';

/** What says who runs a process. */
export interface OwnerFacts {
  readonly argv: readonly string[];
  readonly uid: number;
  /** Lines of /proc/PID/cgroup. */
  readonly cgroup: string;
  /** `namespace/name` that a record of vmpulse gives to exactly this process. */
  readonly recordedVm: string | undefined;
  readonly described: DescribedVm;
}

/** Where libvirt and Proxmox keep the sockets of their VMs. */
const LIBVIRT_FOLDER = /^\/(var\/lib|run|var\/run)\/libvirt\/|\/\.(config|cache)\/libvirt\//;
const PROXMOX_FOLDER = /^\/(var\/)?run\/qemu-server\//;
const CONTAINER =
  /(?:^|\/)((?:docker|libpod|cri-containerd|crio)-[0-9a-f]{12,64}\.scope|kubepods[^/]*|lxc\.payload\.[^/]+|machine\.slice\/[^/]*libpod[^/]*)(?:\/|$)/;

/** The first that fits: a record, a manager by its marks, a container, a unit. What nobody manages is a person's. */
export function ownerOf(facts: OwnerFacts): Owner {
  const { argv, uid, described, recordedVm } = facts;
  const folders = cgroupsOf(facts.cgroup);
  if (recordedVm !== undefined) return { kind: 'vmpulse', vm: recordedVm };
  const sockets = [...described.monitors, described.agent ?? '', described.pidFile ?? ''];
  const proxmox = sockets.map((path) => PROXMOX_FOLDER.test(path) && basename(path)).find(Boolean);
  if (proxmox) return { kind: 'proxmox', id: valueAfter(argv, '-id') ?? proxmox.replace(/\..*$/, '') };
  if (isOfLibvirt(argv, folders)) return { kind: 'libvirt', domain: described.name ?? '' };
  const container = folders.map((folder) => CONTAINER.exec(folder)?.[1]).find(Boolean);
  if (container) return { kind: 'container', scope: container };
  const unit = folders.map(unitOf).find(Boolean);
  return unit ? { kind: 'systemd', unit } : { kind: 'user', uid };
}

function cgroupsOf(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []);
}

/** libvirt gives each QEMU a file of secrets in its own folder, and a scope of machine.slice. */
function isOfLibvirt(argv: readonly string[], folders: readonly string[]): boolean {
  if (folders.some((folder) => /(^|\/)machine-qemu\\x2d[^/]*\.scope/.test(folder))) return true;
  return argv.some((arg) =>
    arg.startsWith('{')
      ? /"(file|path)":"[^"]*\/libvirt\/qemu\/[^"]*"/.test(arg)
      : arg.split(',').some((part) => LIBVIRT_FOLDER.test(part.replace(/^[a-z-]+=/, ''))),
  );
}

/** A service of the system; what hangs below a log-in session or a user's manager is that user's. */
function unitOf(folder: string): string | undefined {
  if (/(^|\/)user\.slice\//.test(folder)) return undefined;
  return /(?:^|\/)([^/]+\.service)(?:\/|$)/.exec(folder)?.[1];
}

function valueAfter(argv: readonly string[], option: string): string | undefined {
  const at = argv.indexOf(option);
  return at === -1 ? undefined : argv[at + 1];
}
