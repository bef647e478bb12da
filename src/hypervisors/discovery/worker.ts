import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describeCloudHypervisor } from './cloud-hypervisor-arguments.js';
import { describeFirecracker, firecrackerConfigFile } from './firecracker-arguments.js';
import type { DescribedVm, FoundVm } from './found-vm.js';
import { marksOf } from './marks.js';
import { ownerOf } from './owner.js';
import { describeQemu } from './qemu-arguments.js';

/** What is looked through; `/proc` but in tests. */
export interface FindVmsTask {
  readonly proc: string;
}

/** Names of programs, of the file and as the process was called. */
const PROGRAMS: readonly (readonly [FoundVm['vmm'], RegExp])[] = [
  ['qemu', /^(qemu-system-[a-z0-9_]+|qemu-kvm|qemu|kvm)$/],
  ['cloud-hypervisor', /^cloud-hypervisor(-static)?$/],
  ['firecracker', /^firecracker(-v[0-9.]+(-[a-z0-9_]+)?)?$/],
];
const MAX_VMS = 10_000;
const FILE_BYTES = 256 * 1024;

/**
 * Pool task: every VMM among the processes of this host, with what its command line says. On a thread of its own, because
 * reading a command line waits for a process that holds its memory map.
 */
export default function findVms({ proc }: FindVmsTask): FoundVm[] {
  const found = readdirSync(proc)
    .filter((name) => /^[1-9]\d*$/.test(name))
    .flatMap((name) => look(new Process(proc, Number(name))))
    .slice(0, MAX_VMS);
  // A child between fork and exec shows its parent's command line.
  const pids = new Set(found.map(({ vm }) => vm.process?.pid));
  return found.filter(({ parentPid }) => !pids.has(parentPid)).map(({ vm }) => vm);
}

function look(process: Process): { vm: FoundVm; parentPid: number }[] {
  const { argv } = process;
  const [program = ''] = argv;
  const vmm = PROGRAMS.find(
    ([, name]) => name.test(basename(program)) || name.test(basename(process.exe)),
  )?.[0];
  if (vmm === undefined) return [];
  const stat = process.stat();
  if (stat === undefined) return [];
  const described = describe(vmm, argv.slice(1), process);
  const { uid, cgroup } = process;
  const recordedVm = [...described.monitors, described.api ?? '']
    .map((path) => process.recordedVm(path, stat.startTimeTicks))
    .find((vm) => vm !== undefined);
  const owner = ownerOf({ argv, uid, cgroup, recordedVm, described });
  const { pid } = process;
  const identity = { pid, startTimeTicks: stat.startTimeTicks };
  const sockets = [...described.monitors, described.api ?? '', described.agent ?? ''];
  const present = sockets.filter(isSocket);
  const vm = { ...described, present, vmm, process: identity, program, owner, marks: marksOf(vmm, argv) };
  return [{ vm, parentPid: stat.parentPid }];
}

function describe(vmm: FoundVm['vmm'], args: readonly string[], process: Process): DescribedVm {
  const said = readArguments(vmm, args, process);
  const { api, agent, vsock, console: log, pidFile } = said;
  const named = said.taps.flatMap(({ device }) => device ?? []);
  const opened = process.tapDevices().filter((device) => !named.includes(device));
  return {
    ...said,
    disks: said.disks.map((disk) => ({ ...disk, path: process.hostPath(disk.path) })),
    // What was handed over as a descriptor has no name on the command line; they come in the same order.
    taps: said.taps.map((tap) => (tap.device === undefined ? withDevice(tap, opened.shift()) : tap)),
    monitors: said.monitors.map((path) => process.hostPath(path)),
    ...(agent === undefined ? {} : { agent: process.hostPath(agent) }),
    ...(api === undefined ? {} : { api: process.hostPath(api) }),
    ...(vsock === undefined ? {} : { vsock: process.hostPath(vsock) }),
    ...(log === undefined ? {} : { console: process.hostPath(log) }),
    ...(pidFile === undefined ? {} : { pidFile: process.hostPath(pidFile) }),
  };
}

function withDevice(
  tap: DescribedVm['taps'][number],
  device: string | undefined,
): DescribedVm['taps'][number] {
  return device === undefined ? tap : { ...tap, device };
}

function readArguments(vmm: FoundVm['vmm'], args: readonly string[], process: Process): DescribedVm {
  if (vmm === 'qemu') return describeQemu(args);
  if (vmm === 'cloud-hypervisor') return describeCloudHypervisor(args);
  const file = firecrackerConfigFile(args);
  return describeFirecracker(args, file && readText(process.hostPath(file)));
}

/** One process as /proc shows it. It may end at any time, and others' are not all ours to read. */
class Process {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly #folder: string;

  constructor(proc: string, pid: number) {
    this.pid = pid;
    this.#folder = join(proc, String(pid));
    const text = this.#read('cmdline');
    this.argv = text === '' ? [] : text.replace(/\0$/, '').split('\0');
  }

  get exe(): string {
    return this.#link('exe').replace(/ \(deleted\)$/, '');
  }

  get uid(): number {
    return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(this.#read('status'))?.[1] ?? 0);
  }

  get cgroup(): string {
    return this.#read('cgroup');
  }

  /** Undefined: it has ended. */
  stat(): { readonly parentPid: number; readonly startTimeTicks: number } | undefined {
    const text = this.#read('stat');
    // The name in parentheses may hold spaces and parentheses itself; field 3 follows the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [parentPid, startTimeTicks] = [Number(fields[4 - 3]), Number(fields[22 - 3])];
    return Number.isSafeInteger(startTimeTicks) ? { parentPid, startTimeTicks } : undefined;
  }

  /** Devices whose queues it has open. */
  tapDevices(): string[] {
    const names = attempt(() => readdirSync(join(this.#folder, 'fdinfo')), []).flatMap(
      (fd) => /^iff:\s*(\S+)$/m.exec(this.#read(`fdinfo/${fd}`))?.[1] ?? [],
    );
    return [...new Set(names)];
  }

  /** A path of its own as this process has it: below its folder, or below a root that it was locked into. */
  hostPath(path: string): string {
    const root = this.#link('root') || '/';
    if (path.startsWith('/')) return root === '/' ? path : join(root, path);
    return resolve(this.#link('cwd') || '/', path);
  }

  /** The VM of the record that lies beside this socket, if the record is of this process. */
  recordedVm(socket: string, startTimeTicks: number): string | undefined {
    const folder = dirname(socket);
    if (socket === '') return undefined;
    const text = readText(join(folder, 'vmm.pid')) ?? '';
    const record: unknown = attempt(() => JSON.parse(text), undefined);
    if (typeof record !== 'object' || record === null) return undefined;
    const isOurs = 'pid' in record && record.pid === this.pid;
    if (!isOurs || !('startTimeTicks' in record) || record.startTimeTicks !== startTimeTicks)
      return undefined;
    return `${basename(dirname(folder))}/${basename(folder)}`;
  }

  #read(name: string): string {
    return readText(join(this.#folder, name)) ?? '';
  }

  #link(name: string): string {
    return attempt(() => readlinkSync(join(this.#folder, name)), '');
  }
}

function isSocket(path: string): boolean {
  return path !== '' && attempt(() => statSync(path).isSocket(), false);
}

/** The beginning of a regular file. */
function readText(path: string): string | undefined {
  return attempt(() => {
    // A FIFO or a device would hold this thread.
    if (!statSync(path).isFile()) return undefined;
    const buffer = Buffer.alloc(FILE_BYTES);
    const fd = openSync(path, 'r');
    try {
      let length = 0;
      for (;;) {
        const read = readSync(fd, buffer, length, FILE_BYTES - length, null);
        length += read;
        if (read === 0 || length === FILE_BYTES) return buffer.toString('utf8', 0, length);
      }
    } finally {
      closeSync(fd);
    }
  }, undefined);
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
