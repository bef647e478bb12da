import type { Channel } from '../../engine/probe-engine.js';
import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { Machine } from '../../model/machine.js';
import type { CallOptions, CapturedEvidence, GuestCounter, VmmEvent, VmmSession } from '../../model/ports.js';
import type { ProcessIdentity } from '../../model/vm.js';
import type { ProcessHandle } from '../host.js';
import { livingState } from '../process.js';
import { capture } from './capture.js';
import { endingsOf } from './command-line.js';
import type { FoundVmm } from './find-vmm.js';
import { guestCounters } from './guest-counters.js';
import { type GuestCommandResult, guestExec, guestOsId } from './guest-exec.js';
import { LogKeeper, removeFiles } from './logs.js';
import type { QemuMonitor } from './monitor.js';
import type { VmPaths } from './paths.js';
import type { QemuVm } from './qemu-vm.js';
import { rebootGuest, restoreShutdownAction, type ShutdownAction } from './reboot-guest.js';
import { resetGuest, untilRunning } from './reset-guest.js';
import { stopVmm } from './stop-vmm.js';

const POLL_MS = 10;
/** How long the events of a VMM that ended may take to arrive. */
const LAST_WORDS_MS = 200;

export interface QemuSessionParts {
  readonly vm: QemuVm;
  readonly vmm: FoundVmm;
  readonly handle: ProcessHandle;
  readonly monitor: QemuMonitor;
  readonly agent: Channel | undefined;
  /** The folder of a VMM that vmpulse started; undefined for an adopted one. */
  readonly paths: VmPaths | undefined;
  readonly evidenceDir: string;
}

/** The attachment to one running QEMU. Owns its two channels and its pidfd. */
export class QemuSession implements VmmSession {
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  readonly machineDigest?: string;
  readonly machine?: Machine;
  readonly pidfd: number | undefined;
  readonly monitor: Channel;
  readonly agent?: Channel;
  readonly consoleLog?: string;
  readonly #parts: QemuSessionParts;
  readonly #logs: LogKeeper | undefined;
  #detached = false;

  constructor(parts: QemuSessionParts) {
    const { vmm, handle, monitor, agent, paths } = parts;
    this.#parts = parts;
    this.process = { pid: vmm.pid, startTimeTicks: vmm.startTimeTicks };
    this.startedAtMs = vmm.startedAtMs;
    if (vmm.machineDigest !== undefined) this.machineDigest = vmm.machineDigest;
    if (vmm.machine !== undefined) this.machine = vmm.machine;
    this.pidfd = handle.fd;
    this.monitor = monitor.channel;
    if (agent !== undefined) this.agent = agent;
    if (paths !== undefined) this.consoleLog = paths.consoleLog;
    this.#logs = paths && new LogKeeper([paths.consoleLog, paths.vmmLog]);
    // A daemon that died in a reboot by power button left `pause` behind.
    if (paths) void monitor.connected.then(() => restoreShutdownAction(monitor, this.#shutdownAction));
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#parts.monitor.onEvent(listener);
  }

  async status(options: CallOptions): Promise<string> {
    return this.#parts.monitor.status(this.#running('status', options));
  }

  async reset(options: CallOptions): Promise<void> {
    this.#refuseIfItWouldEnd('reset');
    await resetGuest(this.#parts.monitor, this.#running('reset', options));
  }

  async reboot(options: CallOptions): Promise<void> {
    this.#refuseIfItWouldEnd('reboot');
    await rebootGuest(
      this.#parts.monitor,
      this.agent,
      this.#shutdownAction,
      this.#running('reboot', options),
    );
  }

  counters(options: CallOptions): Promise<readonly GuestCounter[]> {
    const { monitor, vm, paths } = this.#parts;
    return guestCounters(
      monitor,
      vm.hypervisor.interfaces,
      paths?.consoleLog,
      this.#deadline('counters', options),
    );
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#parts.monitor.request('stop', undefined, this.#running('pause', options));
  }

  async resume(options: CallOptions): Promise<void> {
    const deadline = this.#running('resume', options);
    const { monitor } = this.#parts;
    const status = await monitor.status(deadline);
    if (status === 'watchdog') {
      const text = `${this.#name} was stopped by its watchdog, which would stay dead after a resume; reset it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    await monitor.request('cont', undefined, deadline);
    await untilRunning(monitor, deadline);
  }

  async continueProcess(options: CallOptions): Promise<void> {
    const deadline = this.#running('SIGCONT', options);
    this.#parts.handle.signal('SIGCONT');
    await deadline.until(POLL_MS, () => livingState(this.process) !== 'T' || undefined);
  }

  async stop(mode: 'graceful' | 'force', options: CallOptions): Promise<void> {
    const { handle, monitor, paths } = this.#parts;
    const deadline = this.#deadline(`${mode} stop`, options);
    if (livingState(this.process) !== undefined) {
      await stopVmm({ name: this.#name, monitor, process: this.process, handle }, mode, deadline);
      // At once, while the path is still the dead VMM's; what stays is cleared by the next start.
      const files = paths ? [paths.qmpSocket, paths.agentSocket, paths.record] : [];
      await deadline.race(removeFiles(files)).catch(() => {});
    }
    await this.#closeChannels();
  }

  async exec(argv: readonly string[], options: CallOptions): Promise<GuestCommandResult> {
    if (this.agent === undefined) {
      const text = `${this.#name} has no guest agent channel; give it one (guestAgent) to run commands in it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    return guestExec(this.agent, argv, this.#running(`guest command ${argv[0]}`, options));
  }

  async osId(options: CallOptions): Promise<string | undefined> {
    if (this.agent === undefined) {
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `${this.#name} has no guest agent to ask`);
    }
    return guestOsId(this.agent, this.#running('question for the guest system', options));
  }

  async capture(options: CallOptions & { readonly label: string }): Promise<CapturedEvidence> {
    return capture(this.#parts, options.label, this.#deadline('evidence', options));
  }

  async detach(): Promise<void> {
    if (this.#detached) return;
    this.#detached = true;
    this.#logs?.close();
    this.monitor.close();
    this.agent?.close();
    this.#parts.handle.close();
  }

  /** A channel would connect again, and hold the monitor of the next VMM. What the old one said last is heard before. */
  async #closeChannels(): Promise<void> {
    const lastWords = new Deadline('last words', { deadlineMs: LAST_WORDS_MS });
    await lastWords.until(POLL_MS, () => !this.monitor.connected || undefined).catch(() => {});
    this.monitor.close();
    this.agent?.close();
  }

  get #name(): string {
    return this.#parts.vm.id;
  }

  get #shutdownAction(): ShutdownAction {
    return endingsOf(this.#parts.vmm.argv).shutdownPauses ? 'pause' : 'poweroff';
  }

  /** For calls that need the VMM: its successor may listen at the same path, and must not be taken for it. */
  #running(what: string, options: CallOptions): Deadline {
    if (livingState(this.process) !== undefined) return this.#deadline(what, options);
    const text = `${what} of ${this.#name}: its VMM, process ${this.process.pid}, has ended`;
    throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', text);
  }

  #deadline(what: string, options: CallOptions): Deadline {
    if (this.#detached) {
      throw new VmpulseError(
        'ERR_VMPULSE_CLOSED',
        `the session of ${this.#name} was detached before the call of ${what}`,
      );
    }
    return new Deadline(`${what} of ${this.#name}`, options);
  }

  /** QEMU can be told to end when its guest reboots; a reset would then kill the VM. */
  #refuseIfItWouldEnd(what: string): void {
    if (!endingsOf(this.#parts.vmm.argv).rebootEndsVmm) return;
    const text = `${what} of ${this.#name}: its QEMU was started with -no-reboot and would end; stop and start it instead`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
}
