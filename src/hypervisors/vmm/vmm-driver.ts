import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LadderStep } from '../../model/action.js';
import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { isManaged, tapsOf } from '../../model/link.js';
import type { CallOptions, Driver, Look, VmmSession } from '../../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import { type FoundVmm, findVmm, leftoversOf, type VmmMark } from './find-vmm.js';
import { takeFolderBack } from './lent-folder.js';
import type { VmPaths } from './paths.js';
import { ProcScanner } from './proc-scan/proc-scanner.js';
import type { ProcessSpec } from './process-spec.js';
import type { ProofContext, StartPlan } from './prove-start.js';
import { StartLocks } from './start-locks.js';
import type { SessionParts } from './vmm-session.js';

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

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
 * What drivers have in common whose VMMs are processes of this host: which process is the VMM, and that only one is
 * started. docs/internals/hypervisors/vmm.md has the design.
 */
export abstract class VmmDriver<Kinds extends VmmKinds> implements Driver<Kinds['session']> {
  abstract readonly name: Kinds['spec']['driver'];
  protected readonly host: DriverHost;
  protected readonly stateDir: string;
  protected readonly runDir: string;
  readonly #lockDir: string | undefined;
  protected readonly searchPath: string;
  protected readonly scanner: ProcScanner;

  constructor(host: DriverHost, options: VmmDriverOptions) {
    this.host = host;
    this.runDir = resolve(options.runDir);
    this.stateDir = resolve(options.stateDir);
    this.#lockDir = options.lockDir;
    this.searchPath = options.searchPath ?? DEFAULT_SEARCH_PATH;
    this.scanner = new ProcScanner(host);
  }

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
  /**
   * Brings the VMM up and resolves with its process. Nobody else starts this VM meanwhile, and nobody holds its disks.
   * Throws ERR_VMPULSE_START_FAILED, and leaves nothing half started then.
   */
  protected abstract launch(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
    deadline: Deadline,
  ): Promise<ProcessIdentity>;
  /** Opens the session; it owns the handle from here on. */
  protected abstract open(
    parts: SessionParts<Kinds['spec'], Kinds['paths']>,
    paths: Kinds['paths'],
  ): Kinds['session'];

  /** Why this VM cannot be started whatever the host has, and what to do; undefined: it can. */
  protected startRefusal({ hypervisor: { adopt } }: VmSpec<Kinds['spec']>): string | undefined {
    if (adopt === undefined) return undefined;
    return 'was adopted: vmpulse does not know how it is started; start it the way it was started before';
  }

  /** The VMM was started with other folders than this driver's. */
  protected isElsewhere(vm: VmSpec<Kinds['spec']>, { argv }: FoundVmm, paths: Kinds['paths']): boolean {
    const { adopt } = vm.hypervisor;
    return adopt === undefined && argv.length > 0 && !argv.some((arg) => arg.includes(paths.monitorSocket));
  }

  supports(vm: VmSpec, step: LadderStep): boolean {
    const { hypervisor, recovery } = this.#own(vm);
    const { guestAgent } = hypervisor;
    switch (step) {
      case 'start':
      case 'power-cycle':
      case 'recreate':
        return this.startRefusal(this.#own(vm)) === undefined;
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
    const paths = this.paths(this.runDir, vm);
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
    const paths = this.paths(this.runDir, vm);
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
    const paths = this.paths(this.runDir, vm);
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
    const paths = this.paths(this.runDir, vm);
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
      return await this.launch(vm, paths, plan, deadline);
    } finally {
      locks.release();
    }
  }

  #find(vm: VmSpec<Kinds['spec']>, paths: VmPaths, deadline: Deadline): Promise<FoundVmm | undefined> {
    return findVmm(vm, this.mark(vm), paths, this.scanner, deadline);
  }

  #proofContext(paths: Kinds['paths'], replacing: FoundVmm | undefined) {
    const { network } = this.host;
    return { paths, scanner: this.scanner, network, searchPath: this.searchPath, replacing };
  }

  async #verify(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
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
    if (!this.isElsewhere(vm, found, paths)) return found;
    const text = `VM ${vm.id} runs as process ${process.pid}, which vmpulse did not start with this run directory (${this.runDir}); adopt it by its sockets`;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
  }

  #isOwn(vm: VmSpec): vm is VmSpec<Kinds['spec']> {
    return vm.hypervisor.driver === this.name;
  }

  #own(vm: VmSpec): VmSpec<Kinds['spec']> {
    if (this.#isOwn(vm)) return vm;
    const text = `VM ${vm.id} is run by ${vm.hypervisor.driver}, not by ${this.name}`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }

  #startable(spec: VmSpec): VmSpec<Kinds['spec']> {
    const vm = this.#own(spec);
    const refusal = this.startRefusal(vm);
    if (refusal !== undefined)
      throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', `VM ${vm.id} ${refusal}`);
    return vm;
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
