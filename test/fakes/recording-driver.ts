import type { LadderStep } from '../../src/model/action.js';
import { VmpulseError } from '../../src/model/errors.js';
import { machineOf } from '../../src/model/machine.js';
import type { Driver, GuestCounter, Look, VmmEvent, VmmSession } from '../../src/model/ports.js';
import type { ProcessIdentity, VmSpec } from '../../src/model/vm.js';

interface Machine {
  process: ProcessIdentity;
  session?: { listener?: (event: VmmEvent, atMs: number) => void; detached: boolean };
}

type GuestResult = Awaited<ReturnType<VmmSession['exec']>>;

/** A driver that writes down what it was told. Its VMMs are entries of a table; it fails where a test says so. */
export class RecordingDriver implements Driver {
  readonly name = 'qemu';
  readonly calls: string[] = [];
  /** Method name → error thrown by its next calls. */
  readonly failures = new Map<string, VmpulseError>();
  /** Run state of VMs, `running` where none is given. */
  readonly statuses = new Map<string, string>();
  /** What guests have done so far, by VM; none: the session has no counters. */
  readonly counters = new Map<string, GuestCounter[]>();
  /** What the agents of all guests say their system is. */
  system = 'debian';
  /** How commands in guests end; at once and well unless a test says otherwise. */
  guest: (vm: string) => Promise<GuestResult> = async () => ({ exitCode: 0, stdout: '', stderr: '' });
  readonly #nowMs: () => number;
  readonly #running = new Map<string, Machine>();
  #nextPid = 1000;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The VMM runs already, as after a restart of the daemon. */
  boot(vm: VmSpec): void {
    const pid = this.#nextPid++;
    this.#running.set(vm.id, { process: { pid, startTimeTicks: pid * 10 } });
  }

  /** The VMM is gone; the runtime hears it from the engine's process watch. */
  vanish(vm: VmSpec): void {
    this.#running.delete(vm.id);
  }

  emit(vm: VmSpec, event: VmmEvent): void {
    this.#running.get(vm.id)?.session?.listener?.(event, this.#nowMs());
  }

  processOf(vm: VmSpec): ProcessIdentity | undefined {
    return this.#running.get(vm.id)?.process;
  }

  supports(_vm: VmSpec, _step: LadderStep): boolean {
    return true;
  }

  async look(vm: VmSpec): Promise<Look> {
    this.#called('look', vm.id);
    const machine = this.#running.get(vm.id);
    if (!machine) return { running: false, leftovers: [] };
    return { running: true, process: machine.process, startedAtMs: this.#nowMs() };
  }

  async attach(vm: VmSpec, process: ProcessIdentity): Promise<VmmSession> {
    this.#called('attach', vm.id);
    const machine = this.#running.get(vm.id);
    if (!machine) throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${vm.id} does not run`);
    const connection: NonNullable<Machine['session']> = { detached: false };
    machine.session = connection;
    return {
      process,
      startedAtMs: this.#nowMs(),
      machineDigest: vm.machineDigest,
      machine: machineOf(vm),
      pidfd: 3,
      monitor: { handle: 1, connected: false },
      agent: { handle: 2, connected: true },
      onEvent: (listener) => {
        connection.listener = listener;
      },
      status: async () => this.statuses.get(vm.id) ?? 'running',
      reset: async () => this.#called('reset', vm.id),
      reboot: async () => this.#called('reboot', vm.id),
      ...(this.counters.has(vm.id) ? { counters: async () => this.counters.get(vm.id) ?? [] } : {}),
      pause: async () => this.#called('pause', vm.id),
      resume: async () => this.#called('resume', vm.id),
      continueProcess: async () => this.#called('continue', vm.id),
      stop: async (mode) => {
        this.#called(`stop-${mode}`, vm.id);
        this.vanish(vm);
      },
      exec: async (argv) => {
        this.#called(`exec ${argv.join(' ')}`, vm.id);
        return this.guest(vm.id);
      },
      osId: async () => this.system,
      capture: async () => {
        this.#called('capture', vm.id);
        return { consoleTail: 'last words', status: 'running', files: [] };
      },
      detach: async () => {
        connection.detached = true;
      },
    };
  }

  async proveStart(vm: VmSpec): Promise<void> {
    this.#called('prove-start', vm.id);
  }

  async start(vm: VmSpec): Promise<ProcessIdentity> {
    this.#called('start', vm.id);
    if (this.#running.has(vm.id)) throw new VmpulseError('ERR_VMPULSE_VM_RUNNING', `${vm.id} runs already`);
    this.boot(vm);
    const machine = this.#running.get(vm.id);
    if (!machine) throw new Error('unreachable');
    return machine.process;
  }

  #called(call: string, vm: string): void {
    this.calls.push(`${call} ${vm}`);
    const failure = this.failures.get(call);
    if (failure) throw failure;
  }
}
