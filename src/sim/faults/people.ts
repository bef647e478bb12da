import { crashMeanwhile, type FaultKind, hostFault, MINUTE_MS, vmFault } from './fault.js';

/** What people and their tools do: nothing of it is a failure. */
export const PEOPLE: readonly FaultKind[] = [
  vmFault(
    'operator-stop',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.isWell }),
    (vm, world) => {
      vm.wantedOff = true;
      const reason = world.random.chance(0.7) ? 'host-qmp-quit' : 'host-signal';
      vm.die([{ type: 'shutdown', guest: false, reason }]);
      world.timeline.after(world.random.between(5, 180) * MINUTE_MS, () => world.operator.start(vm));
    },
  ),
  vmFault(
    'migration',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.paused === null }),
    (vm, world) => {
      vm.pause('person');
      world.timeline.after(world.random.between(200, 60_000), () => vm.resume());
    },
  ),
  vmFault(
    'snapshot',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.paused === null }),
    (vm, world) => {
      vm.pause('person');
      world.timeline.after(world.random.between(1, 10) * MINUTE_MS, () => vm.resume());
    },
  ),
  hostFault('person-hold', (host, world) => {
    world.operator.hold(host, world.random.between(5, 60) * MINUTE_MS);
    world.timeline.after(world.random.between(2, 240) * 1000, () => crashMeanwhile(host, world));
    return true;
  }),
];
