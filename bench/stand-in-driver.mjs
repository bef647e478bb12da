// A driver whose VMMs are idle processes, or nothing at all, and whose every call succeeds at once: what is measured
// with it is vmpulse's own share.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Pidfd, readProcessStat } from '../dist/kernel/index.js';

const NEVER = new Promise(() => {});

export class StandInDriver {
  name = 'qemu';
  /** `onCall(method, vmId)` is told of resets and starts as they come. */
  onCall = () => {};
  /** True: what heals takes for ever. */
  stuck = false;
  #machines = new Map();

  /** Boots the VMM of a VM; `real`: a process that can be killed. */
  async boot(vm, real) {
    if (!real) {
      this.#machines.set(vm.id, { process: { pid: process.pid, startTimeTicks: 1 } });
      return;
    }
    // Waits for its input, which ends with this process however that ends.
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    const { startTimeTicks } = readProcessStat(child.pid);
    const machine = { process: { pid: child.pid, startTimeTicks }, child };
    child.once('exit', () => {
      if (this.#machines.get(vm.id) === machine) this.#machines.delete(vm.id);
    });
    this.#machines.set(vm.id, machine);
  }

  kill(vm) {
    this.#machines.get(vm.id).child.kill('SIGKILL');
  }

  emit(vm, event) {
    this.#machines.get(vm.id).listener(event, Date.now());
  }

  supports(_vm, step) {
    return ['start', 'reset', 'power-cycle'].includes(step);
  }

  async look(vm) {
    const machine = this.#machines.get(vm.id);
    if (machine === undefined) return { running: false, leftovers: [] };
    return { running: true, process: machine.process, startedAtMs: Date.now() - 3_600_000 };
  }

  async attach(vm) {
    const machine = this.#machines.get(vm.id);
    const pidfd = machine.child && new Pidfd(machine.process.pid);
    const heal = (method) => {
      this.onCall(method, vm.id);
      return this.stuck ? NEVER : Promise.resolve();
    };
    return {
      process: machine.process,
      startedAtMs: Date.now() - 3_600_000,
      machineDigest: vm.machineDigest,
      pidfd: pidfd?.fd ?? -1,
      monitor: { handle: 0, connected: false },
      onEvent: (listener) => {
        machine.listener = listener;
      },
      status: async () => 'running',
      reset: () => heal('reset'),
      stop: () => heal('stop'),
      capture: async () => ({ consoleTail: '', status: 'running', files: [] }),
      detach: async () => pidfd?.close(),
    };
  }

  async proveStart() {}

  async start(vm) {
    this.onCall('start', vm.id);
    await this.boot(vm, true);
    return this.#machines.get(vm.id).process;
  }

  close() {
    for (const { child } of this.#machines.values()) child?.kill('SIGKILL');
  }
}
