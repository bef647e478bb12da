import { constants, type Stats } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { isAbsolute, join } from 'node:path';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { DiskSpec } from '../../model/hypervisor.js';
import { plainText } from '../../model/plain-text.js';
import type { Accelerators } from './accelerator.js';
import { type Accelerator, forwardArg, type HostChoices, tcgCacheMiB } from './command-line.js';
import type { FoundVmm } from './find-vmm.js';
import { socketPathProblem, type VmPaths } from './paths.js';
import type { ProcScanner } from './proc-scan/proc-scanner.js';
import type { QemuVm } from './qemu-vm.js';

/** What QEMU itself needs beside the guest's memory. */
const VMM_OVERHEAD_MIB = 64;

export interface StartPlan extends HostChoices {
  /** Absolute path of the program. */
  readonly program: string;
  /** Device and inode of each writable disk, as names for locks. */
  readonly diskKeys: readonly string[];
}

export interface ProofContext {
  readonly paths: VmPaths;
  readonly scanner: ProcScanner;
  readonly accelerators: Accelerators;
  /** Folders where a program without a path is looked for, separated by colons. */
  readonly searchPath: string;
  /** A VMM that will be gone by the time of the start: what it holds counts as free. */
  readonly replacing: FoundVmm | undefined;
}

interface Finding {
  readonly problems: readonly string[];
}

/**
 * Checks everything that a start needs and says all that is missing at once. Changes nothing.
 * Throws ERR_VMPULSE_DISK_IN_USE if a disk is taken, ERR_VMPULSE_START_IMPOSSIBLE for anything else.
 */
export async function proveStart(vm: QemuVm, context: ProofContext, deadline: Deadline): Promise<StartPlan> {
  const { paths } = context;
  const qemu = vm.hypervisor;
  const [program, disks, choice, ...others] = await Promise.all([
    findProgram(qemu.binary, context.searchPath, deadline),
    inspectDisks(qemu.disks, deadline),
    context.accelerators.choose(vm, deadline),
    inspectKernel(vm, deadline),
    inspectInterfaces(vm, context.replacing, deadline),
  ]);
  const accelerator = 'accelerator' in choice ? choice.accelerator : 'tcg';
  const problems = [
    ...(program === undefined
      ? [`program ${qemu.binary} not found in ${context.searchPath}; install QEMU or name its path`]
      : []),
    ...('problem' in choice ? [choice.problem] : []),
    ...[disks, ...others].flatMap((finding) => finding.problems),
    ...(await memoryProblems(qemu.memoryMiB, accelerator, context.replacing, deadline)),
    ...[paths.qmpSocket, paths.agentSocket].flatMap((path) => socketPathProblem(path) ?? []),
  ];
  const taken = await diskHolders(qemu.disks, context, deadline);
  if (taken.length > 0 || problems.length > 0 || program === undefined) {
    const code = taken.length > 0 ? 'ERR_VMPULSE_DISK_IN_USE' : 'ERR_VMPULSE_START_IMPOSSIBLE';
    throw new VmpulseError(code, `VM ${vm.id} cannot be started: ${[...taken, ...problems].join('; ')}`);
  }
  return { program, accelerator, blockDevices: disks.blockDevices, diskKeys: disks.keys };
}

async function findProgram(
  binary: string,
  searchPath: string,
  deadline: Deadline,
): Promise<string | undefined> {
  const candidates = isAbsolute(binary)
    ? [binary]
    : searchPath.split(':').map((folder) => join(folder, binary));
  for (const candidate of candidates) {
    if (await isAllowed(candidate, constants.X_OK, deadline)) return candidate;
  }
  return undefined;
}

async function isAllowed(path: string, mode: number, deadline: Deadline): Promise<boolean> {
  return deadline.race(
    access(path, mode).then(
      () => true,
      () => false,
    ),
  );
}

async function inspectDisks(disks: readonly DiskSpec[], deadline: Deadline) {
  const problems: string[] = [];
  const keys: string[] = [];
  const blockDevices = new Set<string>();
  for (const disk of disks) {
    const found = await inspectFile(`disk ${disk.name}`, disk.path, !disk.readOnly, deadline);
    problems.push(...found.problems);
    if (found.stats === undefined) continue;
    if (found.stats.isBlockDevice()) blockDevices.add(disk.path);
    const key = found.stats.isBlockDevice()
      ? `device-${found.stats.rdev}`
      : `file-${found.stats.dev}-${found.stats.ino}`;
    if (keys.includes(key)) problems.push(`disk ${disk.name}: ${disk.path} is given twice`);
    if (!disk.readOnly) keys.push(key);
  }
  return { problems, keys, blockDevices };
}

async function inspectFile(
  what: string,
  path: string,
  writable: boolean,
  deadline: Deadline,
): Promise<Finding & { stats?: Stats }> {
  if (!isAbsolute(path)) return { problems: [`${what}: ${path} is not an absolute path`] };
  let stats: Stats;
  try {
    stats = await deadline.race(stat(path));
  } catch (error) {
    deadline.check();
    return { problems: [`${what}: ${errorMessage(error)}`] };
  }
  if (!stats.isFile() && !stats.isBlockDevice())
    return { problems: [`${what}: ${path} is neither a file nor a block device`] };
  const mode = constants.R_OK | (writable ? constants.W_OK : 0);
  const allowed = await isAllowed(path, mode, deadline);
  return {
    stats,
    problems: allowed
      ? []
      : [`${what}: ${path} is not ${writable ? 'readable and writable' : 'readable'} for vmpulse`],
  };
}

async function inspectKernel({ hypervisor: { kernel } }: QemuVm, deadline: Deadline): Promise<Finding> {
  if (kernel === undefined) return { problems: [] };
  const image = await inspectFile('kernel', kernel.image, false, deadline);
  if (kernel.initrd === undefined) return image;
  const initrd = await inspectFile('initrd', kernel.initrd, false, deadline);
  return { problems: [...image.problems, ...initrd.problems] };
}

async function inspectInterfaces(
  vm: QemuVm,
  replacing: FoundVmm | undefined,
  deadline: Deadline,
): Promise<Finding> {
  const problems: string[] = [];
  for (const network of vm.hypervisor.interfaces) {
    if (network.type === 'tap') {
      const isName = /^[^/\s]+$/.test(network.device);
      const isTap =
        isName && (await isAllowed(`/sys/class/net/${network.device}/tun_flags`, constants.F_OK, deadline));
      if (!isTap)
        problems.push(`network: there is no TAP device ${network.device}; create it, or name another`);
      continue;
    }
    for (const forward of network.forwards) {
      // The old VMM's own listener goes with it.
      if (replacing?.argv.some((arg) => arg.includes(forwardArg(forward)))) continue;
      const reason = await deadline.race(whyNotListen(forward.hostAddress, forward.hostPort));
      if (reason === undefined) continue;
      problems.push(
        `network: cannot listen on ${forward.hostAddress}:${forward.hostPort} (${reason}); free the port or forward another`,
      );
    }
  }
  return { problems };
}

/** Only a listener can tell in every case; it is closed before anything could be served on it. */
function whyNotListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true, backlog: 1 }, () => server.close(() => resolve(undefined)));
  });
}

async function memoryProblems(
  memoryMiB: number,
  accelerator: Accelerator,
  replacing: FoundVmm | undefined,
  deadline: Deadline,
): Promise<string[]> {
  const neededMiB = memoryMiB + VMM_OVERHEAD_MIB + (accelerator === 'tcg' ? tcgCacheMiB(memoryMiB) : 0);
  const availableKiB = (await readKiB('/proc/meminfo', 'MemAvailable', deadline)) ?? Number.POSITIVE_INFINITY;
  const freedKiB = replacing
    ? ((await readKiB(`/proc/${replacing.pid}/status`, 'RssAnon', deadline)) ?? 0)
    : 0;
  const availableMiB = Math.floor((availableKiB + freedKiB) / 1024);
  if (neededMiB <= availableMiB) return [];
  return [
    `memory: ${neededMiB} MiB needed (guest ${memoryMiB} MiB and its VMM), ${availableMiB} MiB available on the host`,
  ];
}

async function readKiB(file: string, field: string, deadline: Deadline): Promise<number | undefined> {
  const text = await deadline.race(readFile(file, 'latin1').catch(() => ''));
  const value = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Any other process that has a disk open which we write, or writes one that we read. */
async function diskHolders(
  disks: readonly DiskSpec[],
  context: ProofContext,
  deadline: Deadline,
): Promise<string[]> {
  if (disks.length === 0) return [];
  const byPath = new Map(disks.map((disk) => [disk.path, disk]));
  const holders = await context.scanner.holders([...byPath.keys()], deadline);
  const texts = holders.flatMap(({ path, pid, name, writable }) => {
    const disk = byPath.get(path);
    if (disk === undefined || pid === context.replacing?.pid || (disk.readOnly && !writable)) return [];
    return [`disk ${disk.name}: ${path} is held open by process ${pid} (${plainText(name)})`];
  });
  return [...new Set(texts)];
}
