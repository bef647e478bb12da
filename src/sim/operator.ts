import type { Case } from './case.js';
import type { SimDaemon } from './sim-daemon.js';
import type { SimHost } from './sim-host.js';
import type { SimVm } from './sim-vm.js';
import type { World } from './world.js';

const AUTHOR = 'ada@1000';

/** The people of the fleet: they come when they are called, repair what only they can, and hand the VM back. */
export class Operator {
  readonly #world: World;
  /** Why VMs are in maintenance: somebody works on it, or its journal has forgotten that it is to stay off. */
  readonly #inMaintenance = new Map<SimVm, string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** The VM is quarantined; somebody looks at it within the hour. */
  quarantined(vm: SimVm): void {
    const { timeline, random, judge } = this.#world;
    const { blocked } = judge.docket(vm);
    if (blocked.has('quarantine')) return;
    blocked.begin('quarantine');
    timeline.after(random.between(5, 60) * 60_000, () => {
      this.repair(vm);
      this.release(vm, () => blocked.end('quarantine'));
    });
  }

  /** Somebody was told of the VM, and looks at it unless it is well by then. */
  called(about: Case): void {
    const { timeline, random } = this.#world;
    if (about.need !== 'act') return;
    timeline.after(random.between(20, 90) * 60_000, () => {
      if (about.endedAtMs === null && !about.vm.host.isDown) this.repair(about.vm);
    });
  }

  /** Whatever is wrong with the VM is put right by hand. */
  repair(vm: SimVm): void {
    const { blocked } = this.#world.judge.docket(vm);
    this.#world.story(vm.host, vm, 'a person repairs it');
    vm.repair();
    vm.wantedOff = false;
    if (vm.vmm === null) {
      vm.spawn();
    } else if (vm.guest !== 'up') {
      vm.say({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
      vm.bootGuest();
    }
    // Until that boot is over it is in that person's hands.
    if (vm.guest === 'booting') blocked.begin('repair');
  }

  /** Nobody may touch any VM of the host for a while. */
  hold(host: SimHost, forMs: number): void {
    const { timeline } = this.#world;
    const event = { type: 'hold', vm: null, reason: 'network work', author: AUTHOR, untilMs: null } as const;
    if (host.daemon === null) return;
    this.#world.story(host, null, 'a person holds all recovery');
    host.daemon.command(event, `${AUTHOR} holds all recovery`);
    // What had begun goes on.
    timeline.after(1_000, () => host.blocked.begin('person'));
    timeline.after(forMs, () => this.resume(host));
  }

  /** Recovery of all goes on, whatever held it. */
  resume(host: SimHost): void {
    this.#whenHeard(host, (daemon) => {
      if (host.hasForgotten) this.#sayAnew(host);
      host.hasForgotten = false;
      this.#world.checker.noteResumed(host);
      this.#world.story(host, null, 'a person resumes all recovery');
      for (const reason of ['person', 'journal', 'incident', 'brake']) host.blocked.end(reason);
      daemon.command({ type: 'unhold', vm: null, author: AUTHOR }, `${AUTHOR} resumes all recovery`);
    });
  }

  /** The VM ended. Somebody misses it in the end where nothing brings it back. */
  mayMiss(vm: SimVm): void {
    const { timeline, random } = this.#world;
    const endedAtMs = timeline.nowMs;
    timeline.after(random.between(2, 4) * 3_600_000, () => {
      const isStillOff = vm.vmm === null && vm.bootedAtMs < endedAtMs;
      if (isStillOff && !vm.wantedOff && !vm.host.isDown) this.start(vm);
    });
  }

  /** Starts a VM by hand. */
  start(vm: SimVm): void {
    if (vm.vmm !== null) return;
    this.#world.story(vm.host, vm, 'a person starts it');
    vm.wantedOff = false;
    vm.spawn();
    if (this.#inMaintenance.has(vm)) this.#world.timeline.after(60_000, () => this.endWork(vm));
  }

  worksOn(vm: SimVm): boolean {
    return this.#inMaintenance.has(vm);
  }

  /** Begins to work on the VM: nothing is to be done to it. */
  work(vm: SimVm, reason: string): void {
    this.#inMaintenance.set(vm, reason);
    this.#world.lists.noteChange(vm);
    this.#maintain(vm, { reason, untilMs: null });
  }

  /** Has done with it; `then` once a daemon has heard so. */
  endWork(vm: SimVm, then: () => void = () => {}): void {
    const ends = this.#inMaintenance.has(vm);
    this.#whenHeard(vm.host, () => {
      this.#inMaintenance.delete(vm);
      if (ends) this.#maintain(vm, null);
      if (ends) this.#world.judge.noteChange(vm);
      then();
    });
  }

  /** Has something done to a VM in its next window. */
  schedule(vm: SimVm, step: 'reboot'): void {
    this.#whenHeard(vm.host, (daemon) => {
      const { id } = vm.spec;
      const event = { type: 'schedule', vm: id, step, author: AUTHOR, reason: 'kernel update' } as const;
      daemon.command(event, `${AUTHOR} schedules ${step} of ${id}`);
    });
  }

  /** Hands the VM back to automation. */
  release(vm: SimVm, then: () => void = () => {}): void {
    this.#whenHeard(vm.host, (daemon) => {
      const { id } = vm.spec;
      this.#world.story(vm.host, vm, 'a person releases it');
      daemon.command({ type: 'release', vm: id, author: AUTHOR }, `${AUTHOR} releases ${id}`);
      this.#world.checker.noteReleased(vm);
      this.#world.judge.noteReleased(vm);
      then();
    });
  }

  /** What a lost journal knew of what people want. */
  #sayAnew(host: SimHost): void {
    for (const vm of host.vms) {
      const reason = this.#inMaintenance.get(vm) ?? (vm.wantedOff ? 'it stays off' : undefined);
      if (reason !== undefined) this.work(vm, reason);
    }
  }

  #maintain(vm: SimVm, begin: { readonly reason: string; readonly untilMs: number | null } | null): void {
    const { id } = vm.spec;
    const text = `${AUTHOR} ${begin === null ? 'ends' : 'begins'} maintenance of ${id}`;
    vm.host.daemon?.command({ type: 'maintenance', vm: id, author: AUTHOR, begin }, text);
  }

  /** Tries until there is a daemon that can hear it. */
  #whenHeard(host: SimHost, tell: (daemon: SimDaemon) => void): void {
    const { daemon } = host;
    if (daemon === null || !daemon.isRunning || host.disk.full) {
      this.#world.timeline.after(60_000, () => this.#whenHeard(host, tell));
      return;
    }
    tell(daemon);
  }
}
