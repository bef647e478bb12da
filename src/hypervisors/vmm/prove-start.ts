import { constants, type Stats } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Account } from '../../kernel/users.js';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { DiskSpec, NetworkInterface } from '../../model/hypervisor.js';
import { plainText } from '../../model/plain-text.js';
import type { VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import type { FoundVmm } from './find-vmm.js';
import { socketPathProblem, type VmPaths } from './paths.js';
import type { ProcScanner } from './proc-scan/proc-scanner.js';
import type { ProcessSpec } from './process-spec.js';
import { proveConfinement } from './prove-confinement.js';
import type { NeededFile } from './vmm-account.js';

/** What any start uses of the host. */
export interface StartPlan {
  /** Absolute path of the program. */
  readonly program: string;
  /** Device and inode of each writable disk, as names for locks. */
  readonly diskKeys: readonly string[];
  /** Those of the disks' paths that are block devices. */
  readonly blockDevices: ReadonlySet<string>;
  /** Whom the VMM runs as; undefined: as this process. */
  readonly account: Account | undefined;
}

export interface ProofContext {
  readonly paths: VmPaths;
  readonly scanner: ProcScanner;
  readonly network?: DriverHost['network'];
  /** Folders where a program without a path is looked for, separated by colons. */
  readonly searchPath: string;
  /** A VMM that will be gone by the time of the start: what it holds counts as free. */
  readonly replacing: FoundVmm | undefined;
}

/** What a driver has found out by itself, and asks for. */
export interface DriverProof {
  readonly problems: readonly string[];
  /** Files that the VM is booted from, by what they are. */
  readonly files: Readonly<Record<string, string | undefined>>;
  /** Character devices that the VMM opens, but for those of its network. */
  readonly devices: readonly string[];
  /** What the VMM needs beside the guest's memory. */
  readonly overheadMiB: number;
}

const CANARY_MS = 2_000;

/** Why a hypervisor that needs KVM cannot run guests now. */
export async function kvmProblem(
  host: Pick<DriverHost, 'kvmCanary'>,
  deadline: Deadline,
): Promise<string | undefined> {
  const canary = await host.kvmCanary(deadline.step(CANARY_MS));
  return canary.ok ? undefined : `KVM: the canary guest says: ${canary.reason}; make KVM work`;
}

interface Finding {
  readonly problems: readonly string[];
}

/**
 * Checks everything that a start needs and says all that is missing at once. Changes nothing.
 * Throws ERR_VMPULSE_DISK_IN_USE if a disk is taken, ERR_VMPULSE_START_IMPOSSIBLE for anything else.
 */
export async function proveStart(
  vm: VmSpec<ProcessSpec>,
  context: ProofContext,
  own: DriverProof,
  deadline: Deadline,
): Promise<StartPlan> {
  const { binary, disks, interfaces, memoryMiB } = vm.hypervisor;
  const [program, inspected, ...others] = await Promise.all([
    findProgram(binary, context.searchPath, deadline),
    inspectDisks(disks, deadline),
    ...Object.entries(own.files).map(([what, path]) => inspectReadable(what, path, deadline)),
    inspectTaps(interfaces, deadline),
    inspectNetwork(vm, context.network, deadline),
    inspectMemory(memoryMiB, own.overheadMiB, context.replacing, deadline),
  ]);
  const confined = await proveConfinement(
    vm,
    { files: neededFiles(program, disks, own.files), devices: own.devices },
    context.searchPath,
    deadline,
  );
  const problems = [
    ...(program === undefined
      ? [`program ${binary} not found in ${context.searchPath}; install it or name its path`]
      : []),
    ...own.problems,
    ...[inspected, ...others].flatMap((finding) => finding.problems),
    ...confined.problems,
    ...context.paths.endpoints.flatMap((path) => socketPathProblem(path) ?? []),
  ];
  const taken = await diskHolders(disks, context, deadline);
  if (taken.length > 0 || problems.length > 0 || program === undefined) {
    const code = taken.length > 0 ? 'ERR_VMPULSE_DISK_IN_USE' : 'ERR_VMPULSE_START_IMPOSSIBLE';
    throw new VmpulseError(code, `VM ${vm.id} cannot be started: ${[...taken, ...problems].join('; ')}`);
  }
  const { account } = confined;
  return { program, blockDevices: inspected.blockDevices, diskKeys: inspected.keys, account };
}

/** What the VMM itself has to open. */
function neededFiles(
  program: string | undefined,
  disks: readonly DiskSpec[],
  files: DriverProof['files'],
): Omit<NeededFile, 'remedy'>[] {
  const named = Object.entries(files).flatMap(([what, path]) => (path === undefined ? [] : [{ what, path }]));
  return [
    ...(program === undefined ? [] : [{ what: 'program', path: program, rights: ['x'] as const }]),
    ...named.map((file) => ({ ...file, rights: ['r'] as const })),
    ...disks.map(({ name, path, readOnly }) => ({
      what: `disk ${name}`,
      path,
      rights: readOnly ? (['r'] as const) : (['r', 'w'] as const),
    })),
  ];
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

async function inspectReadable(what: string, path: string | undefined, deadline: Deadline): Promise<Finding> {
  return path === undefined ? { problems: [] } : inspectFile(what, path, false, deadline);
}

async function inspectTaps(interfaces: readonly NetworkInterface[], deadline: Deadline): Promise<Finding> {
  const problems: string[] = [];
  for (const network of interfaces) {
    // One that is made before the start need not be there.
    if (network.type !== 'tap' || network.create === true) continue;
    const isName = /^[^/\s]+$/.test(network.device);
    const isTap =
      isName && (await isAllowed(`/sys/class/net/${network.device}/tun_flags`, constants.F_OK, deadline));
    if (!isTap)
      problems.push(`network: there is no TAP device ${network.device}; create it, or name another`);
  }
  return { problems };
}

async function inspectNetwork(
  vm: VmSpec,
  network: DriverHost['network'],
  deadline: Deadline,
): Promise<Finding> {
  return { problems: network === undefined ? [] : await deadline.race(network.startProblems(vm)) };
}

async function inspectMemory(
  memoryMiB: number,
  overheadMiB: number,
  replacing: FoundVmm | undefined,
  deadline: Deadline,
): Promise<Finding> {
  const neededMiB = memoryMiB + overheadMiB;
  const availableKiB = (await readKiB('/proc/meminfo', 'MemAvailable', deadline)) ?? Number.POSITIVE_INFINITY;
  const freedKiB = replacing
    ? ((await readKiB(`/proc/${replacing.pid}/status`, 'RssAnon', deadline)) ?? 0)
    : 0;
  const availableMiB = Math.floor((availableKiB + freedKiB) / 1024);
  if (neededMiB <= availableMiB) return { problems: [] };
  const problem = `memory: ${neededMiB} MiB needed (guest ${memoryMiB} MiB and its VMM), ${availableMiB} MiB available on the host`;
  return { problems: [problem] };
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
