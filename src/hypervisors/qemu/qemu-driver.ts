import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { LadderStep } from '../../model/action.js';
import { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { CallOptions, Driver, Look } from '../../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import { startedAtMs } from '../process.js';
import { Accelerators } from './accelerator.js';
import { commandLine } from './command-line.js';
import { type FoundVmm, findVmm, leftoversOf } from './find-vmm.js';
import {
  findSystemdRun,
  type LaunchedVmm,
  launch,
  launchCommand,
  waitForMonitor,
  withLogTail,
} from './launch.js';
import { removeFiles, rotateLogs } from './logs.js';
import { QemuMonitor } from './monitor.js';
import { type VmPaths, vmPaths } from './paths.js';
import { ProcScanner } from './proc-scan/proc-scanner.js';
import { proveStart, type StartPlan } from './prove-start.js';
import { type QemuVm, qemuVm } from './qemu-vm.js';
import { newRecord, writeRecord } from './record.js';
import { QemuSession } from './session.js';
import { StartLocks } from './start-locks.js';

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How long a VMM that did not come up may take to die. */
const CLEAN_UP_MS = 5_000;

export interface QemuDriverOptions {
  /** Sockets, records and logs of the VMs, under `vms/<namespace>/<name>/`; for example /run/vmpulse. */
  readonly runDir: string;
  /** Evidence, and which VMs have run on KVM; for example /var/lib/vmpulse. */
  readonly stateDir: string;
  /** Start locks; the same for every vmpulse on the host. Default as root /run/lock/vmpulse, else a folder of the user's. */
  readonly lockDir?: string;
  /** Where programs without a path are looked for. Default the usual system folders. */
  readonly searchPath?: string;
}

/** Builds, finds and drives QEMU VMs. docs/internals/hypervisors/qemu.md has the design. */
export class QemuDriver implements Driver<QemuSession> {
  readonly name = 'qemu';
  readonly #host: DriverHost;
  readonly #runDir: string;
  readonly #stateDir: string;
  readonly #lockDir: string | undefined;
  readonly #searchPath: string;
  readonly #scanner: ProcScanner;
  readonly #accelerators: Accelerators;

  constructor(host: DriverHost, options: QemuDriverOptions) {
    this.#host = host;
    this.#runDir = resolve(options.runDir);
    this.#stateDir = resolve(options.stateDir);
    this.#lockDir = options.lockDir;
    this.#searchPath = options.searchPath ?? DEFAULT_SEARCH_PATH;
    this.#scanner = new ProcScanner(host);
    this.#accelerators = new Accelerators(host, this.#stateDir);
  }

  supports(vm: VmSpec, step: LadderStep): boolean {
    const { adopt, guestAgent } = qemuVm(vm).hypervisor;
    const hasAgent = adopt ? adopt.agentSocket !== undefined : guestAgent;
    switch (step) {
      case 'start':
      case 'power-cycle':
        // Nobody told vmpulse how an adopted VM is started.
        return adopt === undefined;
      case 'restart-service':
        return hasAgent && (vm.recovery.restartService?.length ?? 0) > 0;
      case 'exec':
        return hasAgent && (vm.recovery.exec?.length ?? 0) > 0;
      case 'cleanup':
        return hasAgent && (vm.recovery.cleanup?.length ?? 0) > 0;
      case 'reset-network':
      case 'recreate':
        return false;
      default:
        return true;
    }
  }

  async look(spec: VmSpec, options: CallOptions): Promise<Look> {
    const vm = qemuVm(spec);
    const paths = vmPaths(this.#runDir, vm);
    const deadline = new Deadline(`look at ${vm.id}`, options);
    const found = await findVmm(vm, paths, this.#scanner, deadline);
    if (found) return { running: true, process: identityOf(found), startedAtMs: found.startedAtMs };
    const leftovers = vm.hypervisor.adopt ? [] : await deadline.race(leftoversOf(paths));
    return { running: false, leftovers };
  }

  /**
   * Does not wait for the monitor: a VMM that hangs can be attached to, and stopped. `monitor` events tell its state.
   * Throws ERR_VMPULSE_IDENTITY if the process is not, or no longer, this VM's.
   */
  async attach(spec: VmSpec, process: ProcessIdentity, options: CallOptions): Promise<QemuSession> {
    const vm = qemuVm(spec);
    const paths = vmPaths(this.#runDir, vm);
    const deadline = new Deadline(`attach to ${vm.id}`, options);
    // The pidfd first: from here on the process cannot become another one unnoticed.
    const handle = this.#host.openProcess(process);
    try {
      const vmm = await this.#verify(vm, paths, process, deadline);
      const { adopt, guestAgent } = vm.hypervisor;
      const monitor = new QemuMonitor(
        this.#host.openChannel({ protocol: 'qmp', path: adopt?.qmpSocket ?? paths.qmpSocket }),
      );
      const agentSocket = adopt ? adopt.agentSocket : guestAgent ? paths.agentSocket : undefined;
      const agent =
        agentSocket === undefined
          ? undefined
          : this.#host.openChannel({ protocol: 'qga', path: agentSocket });
      const evidenceDir = join(this.#stateDir, 'evidence');
      return new QemuSession({
        vm,
        vmm,
        handle,
        monitor,
        agent,
        evidenceDir,
        paths: adopt ? undefined : paths,
      });
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  async proveStart(spec: VmSpec, options: CallOptions): Promise<void> {
    const vm = qemuVm(spec);
    this.#refuseAdopted(vm);
    const paths = vmPaths(this.#runDir, vm);
    const deadline = new Deadline(`proof of start of ${vm.id}`, options);
    const replacing = await findVmm(vm, paths, this.#scanner, deadline);
    await this.#prove(vm, paths, replacing, deadline);
  }

  /**
   * Throws ERR_VMPULSE_VM_RUNNING, ERR_VMPULSE_LOCKED, ERR_VMPULSE_DISK_IN_USE or ERR_VMPULSE_START_IMPOSSIBLE before
   * anything was done, ERR_VMPULSE_START_FAILED with the end of the VMM's log when it was tried.
   */
  async start(spec: VmSpec, options: CallOptions): Promise<ProcessIdentity> {
    const vm = qemuVm(spec);
    this.#refuseAdopted(vm);
    const paths = vmPaths(this.#runDir, vm);
    const deadline = new Deadline(`start of ${vm.id}`, options);
    const locks = new StartLocks(this.#host, this.#lockDir ?? defaultLockDir());
    try {
      await deadline.race(locks.prepare());
      locks.takeVm(vm);
      const running = await findVmm(vm, paths, this.#scanner, deadline);
      if (running) {
        const text = `VM ${vm.id} already runs as process ${running.pid}; it is not started twice`;
        throw new VmpulseError('ERR_VMPULSE_VM_RUNNING', text, { details: { pid: running.pid } });
      }
      const plan = await this.#prove(vm, paths, undefined, deadline);
      locks.takeDisks(vm, plan.diskKeys);
      return await this.#launch(vm, paths, plan, deadline);
    } finally {
      locks.release();
    }
  }

  async #launch(vm: QemuVm, paths: VmPaths, plan: StartPlan, deadline: Deadline): Promise<ProcessIdentity> {
    const argv = [plan.program, ...commandLine(vm, paths, plan)];
    await deadline.race(mkdir(paths.folder, { recursive: true, mode: 0o700 }));
    await deadline.race(removeFiles([paths.qmpSocket, paths.agentSocket, paths.record]));
    await deadline.race(rotateLogs([paths.consoleLog, paths.vmmLog]));
    deadline.check();
    await deadline.race(this.#accelerators.remember(vm, plan.accelerator));
    let vmm: LaunchedVmm | undefined;
    try {
      const command = launchCommand(vm, argv, findSystemdRun(this.#searchPath));
      vmm = await launch(vm, command, paths, this.#searchPath);
      // A daemon that dies before this line finds the VMM again by its UUID.
      const startedAt = startedAtMs(vmm.process.startTimeTicks);
      const record = newRecord(vmm.process, argv, vm, startedAt);
      await deadline.race(writeRecord(paths.record, record));
      await waitForMonitor(this.#host, paths, vmm, deadline);
      return vmm.process;
    } catch (error) {
      // Withdrawn is not failed: the VMM goes on, and the next look finds it.
      if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED') || isVmpulseError(error, 'ERR_VMPULSE_CLOSED'))
        throw error;
      if (vmm !== undefined) await this.#end(vmm, paths);
      throw await withLogTail(vm, error, paths);
    }
  }

  /** Nothing half started is left. */
  async #end(vmm: LaunchedVmm, paths: VmPaths): Promise<void> {
    const cleanUp = new Deadline('end of a VMM that did not come up', { deadlineMs: CLEAN_UP_MS });
    try {
      const handle = this.#host.openProcess(vmm.process);
      handle.signal('SIGKILL');
      handle.close();
      await cleanUp.race(vmm.ended.catch(() => {}));
    } catch {
      // It has ended by itself, or the next look finds it.
    }
    // What stays is cleared by the next start.
    await cleanUp.race(removeFiles([paths.qmpSocket, paths.agentSocket, paths.record])).catch(() => {});
  }

  #prove(
    vm: QemuVm,
    paths: VmPaths,
    replacing: FoundVmm | undefined,
    deadline: Deadline,
  ): Promise<StartPlan> {
    const context = {
      paths,
      scanner: this.#scanner,
      accelerators: this.#accelerators,
      searchPath: this.#searchPath,
      replacing,
    };
    return proveStart(vm, context, deadline);
  }

  async #verify(vm: QemuVm, paths: VmPaths, process: ProcessIdentity, deadline: Deadline): Promise<FoundVmm> {
    const found = await findVmm(vm, paths, this.#scanner, deadline);
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
      !found.argv.some((arg) => arg.includes(paths.qmpSocket));
    if (!isForeign) return found;
    const text = `VM ${vm.id} runs as process ${process.pid}, which vmpulse did not start with this run directory (${this.#runDir}); adopt it by its sockets`;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
  }

  #refuseAdopted(vm: QemuVm): void {
    if (vm.hypervisor.adopt === undefined) return;
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
