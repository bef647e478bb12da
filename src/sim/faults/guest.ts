import type { LadderStep } from '../../model/action.js';
import type { Cure, ServiceState, SimVm } from '../sim-vm.js';
import type { World } from '../world.js';
import { type FaultKind, HOUR_MS, MINUTE_MS, vmFault } from './fault.js';

/** A guest that is lost is lost: only a boot brings it back. */
const BOOTS: readonly LadderStep[] = ['reset', 'power-cycle'];
export const SERVICE: readonly LadderStep[] = ['restart-service', 'reboot', 'reset', 'power-cycle'];
/** Three probes 10 s apart, a fresh look and the pause after one that settled nothing, and what others do (30 s). */
export const INFERRED_MS = 120_000;
/** A guest that still works is not taken away on inferred evidence; people are told after 10 minutes. */
export const VETOED_MS = INFERRED_MS + 11 * MINUTE_MS;

function hang(name: string): FaultKind {
  return vmFault(
    name,
    (vm) => ({ need: 'act', boundMs: INFERRED_MS, permits: BOOTS, isOver: () => vm.isWell }),
    (vm) =>
      vm.change(() => {
        vm.guest = 'hung';
      }),
  );
}

function cureOf(world: World): Cure {
  return world.random.chance(0.75) ? 'restart' : 'boot';
}

export function breakService(vm: SimVm, how: ServiceState, cure: Cure): void {
  vm.change(() => {
    vm.service = how;
    vm.cure = cure;
  });
}

/** Nobody in a guest without an agent says that it lives, but its disk does. */
function slow(name: string, later: (vm: SimVm, world: World) => void): FaultKind {
  return vmFault(
    name,
    (vm) => ({
      need: vm.hasAgent ? 'act' : 'tell',
      boundMs: vm.hasAgent ? INFERRED_MS : VETOED_MS,
      permits: SERVICE,
      isOver: () => vm.isWell,
    }),
    (vm, world) => {
      breakService(vm, 'slow', cureOf(world));
      later(vm, world);
      if (!vm.hasAgent) repairLater(vm, world);
    },
  );
}

/** People come where nothing else can help. */
export function repairLater(vm: SimVm, world: World): void {
  const { timeline, random, operator } = world;
  timeline.after(random.between(20, 90) * MINUTE_MS, () => {
    if (!vm.isWell && vm.vmm !== null && vm.guest === 'up') operator.repair(vm);
  });
}

export const GUEST_FAULTS: readonly FaultKind[] = [
  vmFault(
    'panic',
    (vm) => ({ need: 'act', boundMs: 15_000, permits: BOOTS, isOver: () => vm.isWell }),
    (vm) => {
      vm.change(() => {
        vm.guest = 'panicked';
      });
      vm.say({ type: 'panicked', action: 'pause' });
    },
  ),
  hang('hang-spin'),
  hang('hang-hlt'),
  vmFault(
    'service-crash',
    (vm) => ({ need: 'act', boundMs: INFERRED_MS, permits: SERVICE, isOver: () => vm.isWell }),
    (vm, world) => breakService(vm, 'crashed', cureOf(world)),
  ),
  // Neither restart nor boot helps: the budget is spent, and a person has to come.
  vmFault(
    'bad-deploy',
    (vm) => ({ need: 'act', boundMs: INFERRED_MS, permits: SERVICE, isOver: () => vm.isWell }),
    (vm) => breakService(vm, 'crashed', 'repair'),
  ),
  slow('slow-service', () => {}),
  // It gets slow, and in the end the kernel of the guest takes the service.
  slow('memory-leak', (vm, world) => {
    world.timeline.after(world.random.between(10, 30) * MINUTE_MS, () => {
      if (vm.service === 'slow' && vm.guest === 'up') breakService(vm, 'crashed', vm.cure);
    });
  }),
  vmFault(
    'agent-death',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.agent === 'ok' }),
    (vm, world) => {
      vm.change(() => {
        vm.agent = 'dead';
      });
      world.timeline.after(world.random.between(10, 120) * MINUTE_MS, () =>
        vm.change(() => {
          vm.agent = 'ok';
        }),
      );
    },
    (vm) => vm.hasAgent,
  ),
  vmFault(
    'flapping-service',
    () => ({ need: 'nothing', boundMs: 0, permits: SERVICE, isOver: () => false }),
    (vm, world, opened) => {
      const { timeline, random, judge } = world;
      const endMs = timeline.nowMs + random.between(10, 40) * MINUTE_MS;
      const flap = () => {
        if (timeline.nowMs > endMs && vm.isWell) return judge.close(opened);
        // What only a person repairs is repaired, and a guest that boots is left to boot.
        const isBad = vm.service !== 'ok';
        if (vm.guest === 'up')
          breakService(vm, isBad || timeline.nowMs > endMs ? 'ok' : 'crashed', 'restart');
        timeline.after(random.between(20, 120) * 1000, flap);
      };
      flap();
    },
  ),
  vmFault(
    'guest-shutdown',
    (vm) => {
      const wanted = vm.spec.runStrategy === 'Always';
      const need = wanted ? 'act' : 'nothing';
      return { need, boundMs: 20_000, permits: wanted ? ['start'] : [], isOver: () => vm.isWell };
    },
    (vm, world) => {
      const { timeline, random, operator } = world;
      if (vm.spec.runStrategy !== 'Always') {
        vm.wantedOff = true;
        timeline.after(random.between(10, 60) * MINUTE_MS, () => operator.start(vm));
      }
      vm.die([{ type: 'shutdown', guest: true, reason: 'guest-shutdown' }]);
    },
  ),
  // The next boot checks its file systems for longer than any grace: once it has begun, nothing more is to be done.
  vmFault(
    'slow-boot',
    (vm) => ({ need: 'act', boundMs: 20_000, permits: ['start'], isOver: () => vm.vmm !== null }),
    (vm, world) => {
      vm.extraBootMs = world.random.between(3, 20) * MINUTE_MS;
      vm.die();
    },
  ),
  vmFault(
    'storage-stall',
    (vm) => ({ need: 'tell', boundMs: VETOED_MS, permits: [], isOver: () => !vm.stalled }),
    (vm, { timeline, random }) => {
      const stall = (stalled: boolean) =>
        vm.change(() => {
          vm.stalled = stalled;
        });
      stall(true);
      timeline.after(random.between(1, HOUR_MS / MINUTE_MS) * MINUTE_MS, () => stall(false));
    },
    // Who cannot be asked anything is told from a guest that hangs by its network only.
    (vm) => vm.link === 'up',
  ),
  vmFault(
    'disk-full',
    (vm) => ({ need: 'tell', boundMs: 30_000, permits: [], isOver: () => vm.paused === null }),
    (vm, world) => {
      vm.say({ type: 'io-error', device: 'vda', noSpace: true });
      vm.pause('disk');
      world.timeline.after(world.random.between(5, 60) * MINUTE_MS, () => vm.resume());
    },
  ),
];
