import type { Channel } from '../../engine/probe-engine.js';
import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { Machine } from '../../model/machine.js';
import type { CallOptions, CapturedEvidence } from '../../model/ports.js';
import type { VcpuReading } from '../../model/vcpu.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import type { ProcessHandle } from '../host.js';
import { livingState } from '../process.js';
import { readVcpus, type VcpuSources } from '../vcpu/read-vcpus.js';
import { type CaptureSource, capture } from './capture.js';
import type { FoundVmm } from './find-vmm.js';
import { LogKeeper, removeFiles } from './logs.js';
import type { VmPaths } from './paths.js';
import type { ProcessSpec } from './process-spec.js';
import { type StopAttempt, type StopTarget, stopVmm } from './stop-vmm.js';

const POLL_MS = 10;
/** How long the events of a VMM that ended may take to arrive. */
const LAST_WORDS_MS = 2_000;

export interface SessionParts<Spec extends ProcessSpec, Paths extends VmPaths> {
  readonly vm: VmSpec<Spec>;
  readonly vmm: FoundVmm;
  readonly handle: ProcessHandle;
  /** The folder of a VMM that vmpulse started; undefined for an adopted one. */
  readonly paths: Paths | undefined;
  readonly evidenceDir: string;
}

/** What the attachments to VMMs have in common. Owns the channels that it is given, and the pidfd. */
export abstract class BaseVmmSession<Spec extends ProcessSpec, Paths extends VmPaths> {
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  readonly machineDigest?: string;
  readonly machine?: Machine;
  readonly pidfd: number | undefined;
  readonly monitor?: Channel;
  readonly consoleLog?: string;
  protected readonly parts: SessionParts<Spec, Paths>;
  readonly #channels: readonly Channel[];
  readonly #logs: LogKeeper | undefined;
  #detached = false;

  /** `monitor`: unset where no socket of the VMM's own is opened. `logs`: further files that are kept short. */
  constructor(
    parts: SessionParts<Spec, Paths>,
    monitor: Channel | undefined,
    others: readonly Channel[],
    logs: readonly string[] = [],
  ) {
    const { vmm, handle, paths } = parts;
    this.parts = parts;
    if (monitor !== undefined) this.monitor = monitor;
    this.#channels = monitor === undefined ? others : [monitor, ...others];
    this.process = { pid: vmm.pid, startTimeTicks: vmm.startTimeTicks };
    this.startedAtMs = vmm.startedAtMs;
    if (vmm.machineDigest !== undefined) this.machineDigest = vmm.machineDigest;
    if (vmm.machine !== undefined) this.machine = vmm.machine;
    this.pidfd = handle.fd;
    if (paths !== undefined) this.consoleLog = paths.consoleLog;
    this.#logs = paths && new LogKeeper([paths.consoleLog, paths.vmmLog, ...logs]);
  }

  /** How the VMM is asked to end in order, one after another; the first asks the guest. */
  protected abstract stopAttempts(target: StopTarget): readonly StopAttempt[];
  /** What evidence the VMM itself gives. */
  protected abstract get witness(): CaptureSource['monitor'];

  /** How the VMM is ended where nothing else helped; undefined: SIGKILL. */
  protected forcedEnd(_target: StopTarget): StopAttempt | undefined {
    return undefined;
  }

  /** What the VMM itself can tell of its vCPUs. */
  protected vcpuSources(_deadline: Deadline): VcpuSources {
    return {};
  }

  vcpus(options: CallOptions): Promise<VcpuReading | undefined> {
    const deadline = this.running('look at the vCPUs', options);
    return readVcpus(this.process.pid, deadline, this.vcpuSources(deadline));
  }

  async continueProcess(options: CallOptions): Promise<void> {
    const deadline = this.running('SIGCONT', options);
    this.parts.handle.signal('SIGCONT');
    await deadline.until(POLL_MS, () => livingState(this.process) !== 'T' || undefined);
  }

  async stop(mode: 'graceful' | 'force', options: CallOptions): Promise<void> {
    const { handle, paths } = this.parts;
    const deadline = this.deadline(`${mode} stop`, options);
    if (livingState(this.process) !== undefined) {
      const target = { name: this.name, process: this.process, handle };
      const attempts = mode === 'graceful' ? this.stopAttempts(target) : [];
      await stopVmm(target, attempts, deadline, this.forcedEnd(target));
      // At once, while the path is still the dead VMM's; what stays is cleared by the next start.
      const files = paths ? [...paths.endpoints, paths.record] : [];
      await deadline.race(removeFiles(files)).catch(() => {});
    }
    await this.#closeChannels();
  }

  async capture(options: CallOptions & { readonly label: string }): Promise<CapturedEvidence> {
    const { paths, evidenceDir } = this.parts;
    const source = { monitor: this.witness, paths, evidenceDir };
    return capture(source, options.label, this.deadline('evidence', options));
  }

  async detach(): Promise<void> {
    if (this.#detached) return;
    this.#detached = true;
    this.#logs?.close();
    for (const channel of this.#channels) channel.close();
    this.parts.handle.close();
  }

  /** A channel would connect again, and hold the monitor of the next VMM. What the old one said last is heard before. */
  async #closeChannels(): Promise<void> {
    const lastWords = new Deadline('last words', { deadlineMs: LAST_WORDS_MS });
    await lastWords.until(POLL_MS, () => this.monitor?.connected !== true || undefined).catch(() => {});
    for (const channel of this.#channels) channel.close();
  }

  protected get name(): string {
    return this.parts.vm.id;
  }

  /** For calls that need the VMM: its successor may listen at the same path, and must not be taken for it. */
  protected running(what: string, options: CallOptions): Deadline {
    if (livingState(this.process) !== undefined) return this.deadline(what, options);
    const text = `${what} of ${this.name}: its VMM, process ${this.process.pid}, has ended`;
    throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', text);
  }

  protected deadline(what: string, options: CallOptions): Deadline {
    if (!this.#detached) return new Deadline(`${what} of ${this.name}`, options);
    const text = `the session of ${this.name} was detached before the call of ${what}`;
    throw new VmpulseError('ERR_VMPULSE_CLOSED', text);
  }
}
