import type { LadderStep } from '../model/action.js';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions, Driver, Look, VmmSession } from '../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../model/vm.js';
import type { Life } from './life.js';
import type { SimHost } from './sim-host.js';
import { SimSession } from './sim-session.js';
import type { SimVm } from './sim-vm.js';

const LOOK_MS = 5;
const ATTACH_MS = 20;
const PROVE_MS = 30;
const SPAWN_MS = 400;
const MONITOR_UP_MS = 600;

const SUPPORTED: ReadonlySet<LadderStep> = new Set([
  'continue-process',
  'start',
  'reboot',
  'reset',
  'power-cycle',
]);

/** The hypervisor of one host, as a daemon drives it. What it does has its effect somewhere between call and answer. */
export class SimDriver implements Driver {
  readonly name = 'qemu';
  readonly #host: SimHost;
  readonly #life: Life;

  readonly #startsTwice: boolean;

  constructor(host: SimHost, life: Life, startsTwice: boolean) {
    this.#host = host;
    this.#life = life;
    this.#startsTwice = startsTwice;
  }

  supports(spec: VmSpec, step: LadderStep): boolean {
    return step === 'restart-service' ? spec.hypervisor.guestAgent : SUPPORTED.has(step);
  }

  async look(spec: VmSpec): Promise<Look> {
    await this.#life.later(LOOK_MS);
    const vm = this.#vm(spec);
    if (vm.vmm === null) return { running: false, leftovers: [] };
    const { process, startedAtMs } = vm.vmm;
    return { running: true, process, startedAtMs: startedAtMs + this.#host.clockOffsetMs };
  }

  async attach(spec: VmSpec, process: ProcessIdentity): Promise<VmmSession> {
    await this.#life.later(ATTACH_MS);
    const vm = this.#vm(spec);
    if (vm.vmm?.process.pid !== process.pid) {
      throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${spec.id} has ended`);
    }
    return new SimSession(vm, vm.vmm, this.#life);
  }

  async proveStart(spec: VmSpec): Promise<void> {
    await this.#life.later(PROVE_MS);
    const vm = this.#vm(spec);
    if (!vm.host.canStart) throw impossible(spec);
    vm.world.checker.noteProof(vm);
  }

  async start(spec: VmSpec, options: CallOptions): Promise<ProcessIdentity> {
    await within(this.#life, SPAWN_MS, options);
    const vm = this.#vm(spec);
    if (vm.vmm !== null && !this.#startsTwice)
      throw new VmpulseError('ERR_VMPULSE_VM_RUNNING', `${spec.id} runs already`);
    if (!vm.host.canStart) throw impossible(spec);
    vm.world.checker.noteEffect(vm, ['start', 'power-cycle']);
    const { process } = vm.spawn();
    await within(this.#life, MONITOR_UP_MS, options);
    return process;
  }

  #vm(spec: VmSpec): SimVm {
    return this.#host.expect(spec.id);
  }
}

function impossible(spec: VmSpec): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', `${spec.id}: not enough memory on the host`);
}

/** Waits; where the deadline comes first, the error comes then. */
export async function within(life: Life, ms: number, options: CallOptions): Promise<void> {
  if (ms < options.deadlineMs) return life.later(ms);
  await life.later(options.deadlineMs);
  throw new VmpulseError('ERR_VMPULSE_TIMEOUT', `the simulated call did not end in ${options.deadlineMs} ms`);
}
