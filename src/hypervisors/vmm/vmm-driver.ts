import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LadderStep } from '../../model/action.js';
import { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import { isManaged, tapsOf } from '../../model/link.js';
import type { CallOptions, Driver, Look, VmmSession } from '../../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import { startedAtMs } from '../process.js';
import { type FoundVmm, findVmm, leftoversOf, type VmmMark } from './find-vmm.js';
import { findSystemdRun, type LaunchedVmm, launch, launchCommand, withLogTail } from './launch.js';
import { lendFolder, makeFolder, takeFolderBack } from './lent-folder.js';
import { removeFiles, rotateLogs } from './logs.js';
import type { VmPaths } from './paths.js';
import { ProcScanner } from './proc-scan/proc-scanner.js';
import type { ProcessSpec } from './process-spec.js';
import type { ProofContext, StartPlan } from './prove-start.js';
import { newRecord, writeRecord } from './record.js';
import { StartLocks } from './start-locks.js';
import type { SessionParts } from './vmm-session.js';

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How long a VMM that did not come up may take to die. */
const CLEAN_UP_MS = 5_000;

export interface VmmDriverOptions {
  /** Sockets, records and logs of the VMs, under `vms/<namespace>/<name>/`; for example /run/vmpulse. */
  readonly runDir: string;
  /** Evidence, and which VMs have run on KVM; for example /var/lib/vmpulse. */
  readonly stateDir: string;
  /** Start locks; the same for every vmpulse on the host. Default as root /run/lock/vmpulse, else a folder of the user's. */
  readonly lockDir?: string;
  /** Where programs without a path are looked for. Default the usual system folders. */
  readonly searchPath?: string;
}

/** What a driver of VMMs is about: its VMs, their paths, what a start needs, its sessions. */
export interface VmmKinds {
  readonly spec: ProcessSpec;
  readonly paths: VmPaths;
  readonly plan: StartPlan;
  readonly session: VmmSession;
}

/**
 * What drivers have in common whose VMMs are processes that vmpulse starts: which process is the VMM, that only one is
 * started, and that nothing half started is left. docs/internals/hypervisors/vmm.md has the design.
 */
export abstract class VmmDriver<Kinds extends VmmKinds> implements Driver<Kinds['session']> {
  abstract readonly name: Kinds['spec']['driver'];
  protected readonly host: DriverHost;
  protected readonly stateDir: string;
  readonly #runDir: string;
  readonly #lockDir: string | undefined;
  readonly #searchPath: string;
  readonly #scanner: ProcScanner;

  constructor(host: DriverHost, options: VmmDriverOptions) {
    this.host = host;
    this.#runDir = resolve(options.runDir);
    this.stateDir = resolve(options.stateDir);
    this.#lockDir = options.lockDir;
    this.#searchPath = options.searchPath ?? DEFAULT_SEARCH_PATH;
    this.#scanner = new ProcScanner(host);
  }

  protected abstract isOwn(vm: VmSpec): vm is VmSpec<Kinds['spec']>;
  protected abstract paths(runDir: string, vm: VmSpec<Kinds['spec']>): Kinds['paths'];
  /** By what the VMM of the VM is known. */
  protected abstract mark(vm: VmSpec<Kinds['spec']>): VmmMark;
  /** Whether the guest can be reset, rebooted, and so on; the rest of the steps is decided here. */
  protected abstract canDo(vm: VmSpec<Kinds['spec']>, step: LadderStep): boolean;
  /** Proves a start and says what it uses; changes nothing. */
  protected abstract prove(
    vm: VmSpec<Kinds['spec']>,
    context: ProofContext & { readonly paths: Kinds['paths'] },
    deadline: Deadline,
  ): Promise<Kinds['plan']>;
  /** Writes down what the VMM reads, in the folder, which is there; nothing of a VMM before is left. */
  protected abstract prepare(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
  ): Promise<void>;
  /** Arguments of the program, without it. */
  protected abstract commandLine(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
  ): readonly string[];
  /** Files for what the program writes; they are appended to. */
  protected output({ vmmLog }: Kinds['paths']): { readonly stdout: string; readonly stderr: string } {
    return { stdout: vmmLog, stderr: vmmLog };
  }

  /** Resolves when the VMM answers and its guest boots. */
  protected abstract bringUp(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    deadline: Deadline,
  ): Promise<void>;
  /** Opens the session; it owns the handle from here on. */
  protected abstract open(
    parts: SessionParts<Kinds['spec'], Kinds['paths']>,
    paths: Kinds['paths'],
  ): Kinds['session'];

  supports(vm: VmSpec, step: LadderStep): boolean {
    const { hypervisor, recovery } = this.#own(vm);
    const { adopt, guestAgent } = hypervisor;
    switch (step) {
      case 'start':
      case 'power-cycle':
      case 'recreate':
        // Nobody told vmpulse how an adopted VM is started.
        return adopt === undefined;
      case 'restart-service':
        return guestAgent && (recovery.restartService?.length ?? 0) > 0;
      case 'exec':
        return guestAgent && (recovery.exec?.length ?? 0) > 0;
      case 'cleanup':
        return guestAgent && (recovery.cleanup?.length ?? 0) > 0;
      case 'reset-network':
        return tapsOf(vm).some(isManaged);
      default:
        return this.canDo(this.#own(vm), step);
    }
  }

  async look(spec: VmSpec, options: CallOptions): Promise<Look> {
    const vm = this.#own(spec);
    const paths = this.paths(this.#runDir, vm);
    const deadline = new Deadline(`look at ${vm.id}`, options);
    const found = await this.#find(vm, paths, deadline);
    if (found) return { running: true, process: identityOf(found), startedAtMs: found.startedAtMs };
    const leftovers = vm.hypervisor.adopt ? [] : await deadline.race(leftoversOf(paths));
    return { running: false, leftovers };
  }

  /**
   * Does not wait for the monitor: a VMM that hangs can be attached to, and stopped. `monitor` events tell its state.
   * Throws ERR_VMPULSE_IDENTITY if the process is not, or no longer, this VM's.
   */
  async attach(spec: VmSpec, process: ProcessIdentity, options: CallOptions): Promise<Kinds['session']> {
    const vm = this.#own(spec);
    const paths = this.paths(this.#runDir, vm);
    const deadline = new Deadline(`attach to ${vm.id}`, options);
    // The pidfd first: from here on the process cannot become another one unnoticed.
    const handle = this.host.openProcess(process);
    try {
      const vmm = await this.#verify(vm, paths, process, deadline);
      const own = vm.hypervisor.adopt ? undefined : paths;
      // A daemon that died in the middle of the start left it lent.
      if (own && vm.hypervisor.runAs) await deadline.race(takeFolderBack(own.folder));
      return this.open({ vm, vmm, handle, paths: own, evidenceDir: join(this.stateDir, 'evidence') }, paths);
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  async proveStart(spec: VmSpec, options: CallOptions): Promise<void> {
    const vm = this.#startable(spec);
    const paths = this.paths(this.#runDir, vm);
    const deadline = new Deadline(`proof of start of ${vm.id}`, options);
    const replacing = await this.#find(vm, paths, deadline);
    await this.host.storage?.prepare(vm, deadline.step());
    await this.prove(vm, this.#proofContext(paths, replacing), deadline);
  }

  /**
   * Throws ERR_VMPULSE_VM_RUNNING, ERR_VMPULSE_LOCKED, ERR_VMPULSE_DISK_IN_USE or ERR_VMPULSE_START_IMPOSSIBLE before
   * anything was done, ERR_VMPULSE_START_FAILED with the end of the VMM's log when it was tried.
   */
  async start(spec: VmSpec, options: CallOptions): Promise<ProcessIdentity> {
    const vm = this.#startable(spec);
    const paths = this.paths(this.#runDir, vm);
    const deadline = new Deadline(`start of ${vm.id}`, options);
    const locks = new StartLocks(this.host, this.#lockDir ?? defaultLockDir());
    try {
      await deadline.race(locks.prepare());
      locks.takeVm(vm);
      const running = await this.#find(vm, paths, deadline);
      if (running) {
        const text = `VM ${vm.id} already runs as process ${running.pid}; it is not started twice`;
        throw new VmpulseError('ERR_VMPULSE_VM_RUNNING', text, { details: { pid: running.pid } });
      }
      await this.host.storage?.prepare(vm, deadline.step());
      const plan = await this.prove(vm, this.#proofContext(paths, undefined), deadline);
      locks.takeDisks(vm, plan.diskKeys);
      return await this.#launch(vm, paths, plan, deadline);
    } finally {
      locks.release();
    }
  }

  async #launch(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
    deadline: Deadline,
  ): Promise<ProcessIdentity> {
    const args = this.commandLine(vm, paths, plan);
    const argv = [plan.program, ...args];
    const { account } = plan;
    await deadline.race(makeFolder(paths.folder));
    await deadline.race(removeFiles([...paths.endpoints, paths.record]));
    await deadline.race(rotateLogs([paths.consoleLog, paths.vmmLog]));
    deadline.check();
    await deadline.race(Promise.resolve(this.host.network?.prepare(vm)));
    await deadline.race(this.prepare(vm, paths, plan));
    if (account !== undefined) await deadline.race(lendFolder(paths.folder, account));
    let vmm: LaunchedVmm | undefined;
    try {
      const systemdRun = findSystemdRun(this.#searchPath);
      const command = launchCommand(vm, argv, { account, systemdRun });
      vmm = await launch(vm, command, this.output(paths), this.#searchPath);
      // A daemon that dies before this line finds the VMM again by its mark.
      const startedAt = startedAtMs(vmm.process.startTimeTicks);
      const record = newRecord(vmm.process, argv, vm, startedAt, args[0] ?? '');
      await deadline.race(writeRecord(paths.record, record));
      await this.#untilUp(vm, paths, vmm, deadline);
      if (account !== undefined) await deadline.race(takeFolderBack(paths.folder));
      return vmm.process;
    } catch (error) {
      // Withdrawn is not failed: the VMM goes on, and the next look finds it.
      if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED') || isVmpulseError(error, 'ERR_VMPULSE_CLOSED'))
        throw error;
      if (vmm !== undefined) await this.#end(vmm, paths);
      throw await withLogTail(vm, error, paths);
    }
  }

  /** Throws ERR_VMPULSE_START_FAILED as soon as the VMM ends. */
  async #untilUp(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    { ended }: LaunchedVmm,
    deadline: Deadline,
  ): Promise<void> {
    const gone = new AbortController();
    const { deadlineMs, signal } = deadline.step();
    const signals = signal === undefined ? [gone.signal] : [signal, gone.signal];
    const options = { deadlineMs, signal: AbortSignal.any(signals) };
    const up = this.bringUp(vm, paths, new Deadline(`start of ${vm.id}`, options));
    ended.catch(() => gone.abort());
    await Promise.race([ended, up]);
  }

  /** Nothing half started is left. */
  async #end(vmm: LaunchedVmm, paths: VmPaths): Promise<void> {
    const cleanUp = new Deadline('end of a VMM that did not come up', { deadlineMs: CLEAN_UP_MS });
    try {
      const handle = this.host.openProcess(vmm.process);
      handle.signal('SIGKILL');
      handle.close();
      await cleanUp.race(vmm.ended.catch(() => {}));
    } catch {
      // It has ended by itself, or the next look finds it.
    }
    await cleanUp.race(takeFolderBack(paths.folder)).catch(() => {});
    // What stays is cleared by the next start.
    await cleanUp.race(removeFiles([...paths.endpoints, paths.record])).catch(() => {});
  }

  #find(vm: VmSpec<Kinds['spec']>, paths: VmPaths, deadline: Deadline): Promise<FoundVmm | undefined> {
    return findVmm(vm, this.mark(vm), paths, this.#scanner, deadline);
  }

  #proofContext(paths: Kinds['paths'], replacing: FoundVmm | undefined) {
    const { network } = this.host;
    return { paths, scanner: this.#scanner, network, searchPath: this.#searchPath, replacing };
  }

  async #verify(
    vm: VmSpec<Kinds['spec']>,
    paths: VmPaths,
    process: ProcessIdentity,
    deadline: Deadline,
  ): Promise<FoundVmm> {
    const found = await this.#find(vm, paths, deadline);
    if (found === undefined || found.pid !== process.pid || found.startTimeTicks !== process.startTimeTicks) {
      const now = found ? `its VMM is process ${found.pid}` : 'it has no VMM';
      throw new VmpulseError(
        'ERR_VMPULSE_IDENTITY',
        `process ${process.pid} is not the VMM of ${vm.id}: ${now}; look again`,
      );
    }
    const isForeign =
      !vm.hypervisor.adopt &&
      found.argv.length > 0 &&
      !found.argv.some((arg) => arg.includes(paths.monitorSocket));
    if (!isForeign) return found;
    const text = `VM ${vm.id} runs as process ${process.pid}, which vmpulse did not start with this run directory (${this.#runDir}); adopt it by its sockets`;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
  }

  #own(vm: VmSpec): VmSpec<Kinds['spec']> {
    if (this.isOwn(vm)) return vm;
    const text = `VM ${vm.id} is run by ${vm.hypervisor.driver}, not by ${this.name}`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }

  #startable(spec: VmSpec): VmSpec<Kinds['spec']> {
    const vm = this.#own(spec);
    if (vm.hypervisor.adopt === undefined) return vm;
    const text = `VM ${vm.id} was adopted: vmpulse does not know how it is started; start it the way it was started before`;
    throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text);
  }
}

function identityOf({ pid, startTimeTicks }: ProcessIdentity): ProcessIdentity {
  return { pid, startTimeTicks };
}

function defaultLockDir(): string {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return '/run/lock/vmpulse';
  const userFolder = `/run/user/${uid}`;
  return existsSync(userFolder) ? join(userFolder, 'vmpulse-locks') : `/tmp/vmpulse-${uid}-locks`;
}
