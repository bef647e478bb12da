import type { SimVm } from './sim-vm.js';
import type { World } from './world.js';

const AUTHOR = 'ada@1000';

/** The people of the fleet: they come when they are called, repair what only they can, and hand the VM back. */
export class Operator {
  readonly #world: World;

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
      this.#release(vm);
    });
  }

  /** Whatever is wrong with the VM is put right by hand. */
  repair(vm: SimVm): void {
    this.#world.story(vm, 'a person repairs it');
    vm.change(() => {
      vm.service = 'ok';
      vm.cure = 'restart';
      vm.agent = 'ok';
      vm.link = 'up';
      vm.loss = 0;
      vm.stopped = false;
      vm.wantedOff = false;
    });
    if (vm.vmm === null) {
      vm.spawn();
    } else if (vm.guest !== 'up') {
      vm.say({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
      vm.bootGuest();
    }
  }

  /** Tries until there is a daemon to hear it. */
  #release(vm: SimVm): void {
    const { timeline, checker, judge } = this.#world;
    const { daemon } = vm.host;
    if (daemon === null || vm.host.disk.full) {
      timeline.after(60_000, () => this.#release(vm));
      return;
    }
    this.#world.story(vm, 'a person releases it');
    daemon.command({ type: 'release', vm: vm.spec.id, author: AUTHOR }, `${AUTHOR} releases ${vm.spec.id}`);
    checker.noteReleased(vm);
    judge.docket(vm).blocked.end('quarantine');
  }
}
