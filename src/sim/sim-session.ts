import { VmpulseError } from '../model/errors.js';
import type {
  CallOptions,
  CapturedEvidence,
  ChannelRef,
  GuestCounter,
  VmmEvent,
  VmmSession,
} from '../model/ports.js';
import type { ProcessIdentity } from '../model/vm.js';
import type { Life } from './life.js';
import { statusOf } from './outcomes.js';
import { within } from './sim-driver.js';
import type { SimVm, Vmm } from './sim-vm.js';

const COMMAND_MS = 5;
const EXEC_MS = 1_500;
const KILL_MS = 50;
const SHUTDOWN_MS = 12_000;

/** A daemon's attachment to one VMM. */
export class SimSession implements VmmSession {
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  readonly machineDigest: string;
  readonly pidfd = 3;
  readonly monitor: ChannelRef;
  readonly agent?: ChannelRef;
  readonly #vm: SimVm;
  readonly #vmm: Vmm;
  readonly #life: Life;
  #listener: ((event: VmmEvent, atMs: number) => void) | null = null;

  constructor(vm: SimVm, vmm: Vmm, life: Life) {
    this.#vm = vm;
    this.#vmm = vmm;
    this.#life = life;
    this.process = vmm.process;
    this.startedAtMs = vmm.startedAtMs + vm.host.clockOffsetMs;
    this.machineDigest = vm.spec.machineDigest;
    const isCurrent = () => vm.vmm === vmm;
    this.monitor = {
      handle: 1,
      get connected() {
        return isCurrent() && vm.monitor !== 'held';
      },
    };
    if (vm.hasAgent) this.agent = { handle: 2, connected: true };
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#listener = (event, atMs) => {
      if (this.#life.alive) listener(event, atMs);
    };
    if (this.#vm.vmm === this.#vmm) this.#vm.listener = this.#listener;
  }

  async status(options: CallOptions): Promise<string> {
    await this.#command(options);
    return statusOf(this.#vm);
  }

  async reset(options: CallOptions): Promise<void> {
    await this.#command(options);
    this.#vm.world.checker.noteEffect(this.#vm, ['reset']);
    this.#vm.paused = null;
    this.#vm.say({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
    this.#vm.bootGuest();
  }

  /** The guest hears of it only if it is well enough; nobody says whether it does. */
  async reboot(options: CallOptions): Promise<void> {
    await this.#command(options);
    const vm = this.#vm;
    vm.world.checker.noteEffect(vm, ['reboot']);
    if (!vm.runs || vm.guest !== 'up') {
      await within(this.#life, Number.POSITIVE_INFINITY, options);
      return;
    }
    await within(this.#life, SHUTDOWN_MS, options);
    if (vm.vmm !== this.#vmm || vm.guest !== 'up') throw gone(vm);
    vm.say({ type: 'reset', guest: true, reason: 'guest-reset' });
    vm.bootGuest();
  }

  /** At once: they are read for as long as something is suspected, far more often than anything else happens. */
  async counters(): Promise<readonly GuestCounter[]> {
    const vm = this.#vm;
    const { disk, network } = vm.counters;
    // The TAP device needs no monitor.
    const sent = { name: 'network tap', value: network };
    const silent = vm.stopped || vm.monitor !== 'ok';
    return silent ? [sent] : [{ name: 'disk vda', value: disk }, sent];
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#command(options);
    this.#vm.pause('person');
  }

  async resume(options: CallOptions): Promise<void> {
    await this.#command(options);
    this.#vm.resume();
  }

  async continueProcess(options: CallOptions): Promise<void> {
    await within(this.#life, COMMAND_MS, options);
    const vm = this.#vm;
    if (vm.vmm !== this.#vmm) throw gone(vm);
    vm.world.checker.noteEffect(vm, ['continue-process']);
    vm.change(() => {
      vm.stopped = false;
    });
  }

  async stop(mode: 'graceful' | 'force', options: CallOptions): Promise<void> {
    if (mode === 'graceful') await this.#command(options);
    await within(this.#life, KILL_MS, options);
    const vm = this.#vm;
    if (vm.vmm !== this.#vmm) return;
    vm.world.checker.noteEffect(vm, ['power-cycle']);
    vm.world.checker.noteKill(vm);
    vm.die();
  }

  async exec(
    _argv: readonly string[],
    options: CallOptions,
  ): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const vm = this.#vm;
    if (!vm.runs || vm.guest !== 'up' || vm.agent !== 'ok') {
      await within(this.#life, Number.POSITIVE_INFINITY, options);
    }
    await within(this.#life, EXEC_MS, options);
    if (vm.vmm !== this.#vmm) throw gone(vm);
    vm.world.checker.noteEffect(vm, ['restart-service']);
    const back = vm.restartService();
    return { exitCode: back ? 0 : 1, stdout: '', stderr: back ? '' : 'failed to start' };
  }

  async capture(options: CallOptions): Promise<CapturedEvidence> {
    await within(this.#life, Math.min(300, options.deadlineMs - 1), options);
    return { consoleTail: '', status: statusOf(this.#vm), files: [] };
  }

  async detach(): Promise<void> {
    if (this.#vm.listener === this.#listener) this.#vm.listener = null;
  }

  /** A request on the monitor: silence lasts until the deadline. */
  async #command(options: CallOptions): Promise<void> {
    const vm = this.#vm;
    if (vm.vmm !== this.#vmm) throw gone(vm);
    if (vm.monitor === 'held') throw new VmpulseError('ERR_VMPULSE_CHANNEL', 'another client is served');
    if (vm.stopped || vm.monitor === 'wedged') await within(this.#life, Number.POSITIVE_INFINITY, options);
    await within(this.#life, COMMAND_MS, options);
    if (vm.vmm !== this.#vmm) throw gone(vm);
  }
}

function gone(vm: SimVm): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `the VMM of ${vm.spec.id} has ended`);
}
