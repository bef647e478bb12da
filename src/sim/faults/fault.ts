import type { Case, CaseSpec } from '../case.js';
import type { SimHost } from '../sim-host.js';
import type { SimVm } from '../sim-vm.js';
import type { World } from '../world.js';

/** A way in which things go wrong. */
export interface FaultKind {
  readonly name: string;
  /** Injects one somewhere. False: nothing can suffer from it at the moment. */
  inject(world: World): boolean;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

const SETTLED_MS = 240_000;

/** A host whose daemon has been up and free to act for a while. */
function isFree(host: SimHost): boolean {
  const { nowMs } = host.world.timeline;
  return !host.blocked.runs && nowMs - host.blocked.endedAtMs > SETTLED_MS;
}

/** A VM that nothing has been wrong with for a while, and that its daemon knows to be well. */
export function isSettled(world: World, vm: SimVm): boolean {
  const { nowMs } = world.timeline;
  const { blocked } = world.judge.docket(vm);
  const quiet = (endedAtMs: number) => nowMs - endedAtMs > SETTLED_MS;
  return (
    vm.serves &&
    isFree(vm.host) &&
    !blocked.runs &&
    world.judge.isIdle(vm) &&
    quiet(world.judge.lastEndOf(vm)) &&
    quiet(vm.bootedAtMs) &&
    quiet(blocked.endedAtMs)
  );
}

/** Any settled VM for which `fits` holds; undefined: none was found. */
function pickVm(world: World, fits: (vm: SimVm) => boolean): SimVm | undefined {
  const { vms } = world;
  for (let tries = 0; tries < 20; tries++) {
    const vm = world.random.pick(vms);
    if (isSettled(world, vm) && fits(vm)) return vm;
  }
  return undefined;
}

/** A fault of one VM: opens the case, then does the harm. */
export function vmFault(
  name: string,
  spec: (vm: SimVm, world: World) => Omit<CaseSpec, 'kind' | 'vm'>,
  harm: (vm: SimVm, world: World, opened: Case) => void,
  fits: (vm: SimVm) => boolean = () => true,
): FaultKind {
  return {
    name,
    inject(world) {
      const vm = pickVm(world, fits);
      if (!vm) return false;
      world.judge.count(name);
      const opened = world.judge.open({ kind: name, vm, ...spec(vm, world) });
      harm(vm, world, opened);
      return true;
    },
  };
}

/** A fault of a whole host that is free to act. `harm` returns false where it cannot happen there now. */
export function hostFault(name: string, harm: (host: SimHost, world: World) => boolean): FaultKind {
  return {
    name,
    inject(world) {
      // There may be more hosts than VMs.
      const host = world.random.pick(world.hosts.filter(({ vms }) => vms.length > 0));
      if (!isFree(host) || host.daemon?.isRunning !== true || !harm(host, world)) return false;
      world.judge.count(name);
      world.story(host, null, `FAULT ${name}`);
      return true;
    },
  };
}

/** While nothing can be done, something happens that something must be done about afterwards. */
export function crashMeanwhile(host: SimHost, world: World): void {
  const { judge, random } = world;
  const fits = host.vms.filter((vm) => vm.serves && judge.isIdle(vm) && vm.spec.runStrategy === 'Always');
  if (fits.length === 0) return;
  const vm = random.pick(fits);
  judge.count('vmm-crash');
  judge.open({
    kind: 'vmm-crash',
    vm,
    need: 'act',
    boundMs: 20_000,
    permits: ['start'],
    isOver: () => vm.isWell,
  });
  vm.die();
}
