import { type FaultKind, MINUTE_MS, vmFault } from './fault.js';
import { VETOED_MS } from './guest.js';

export const VMM_FAULTS: readonly FaultKind[] = [
  vmFault(
    'vmm-crash',
    (vm) => ({ need: 'act', boundMs: 20_000, permits: ['start'], isOver: () => vm.isWell }),
    (vm) => vm.die(),
  ),
  // It crashes again, while it boots or just after it has been stable, until somebody has looked at it.
  vmFault(
    'crash-loop',
    () => ({ need: 'nothing', boundMs: 0, permits: ['start'], isOver: () => false }),
    (vm, world, opened) => {
      const { timeline, random, judge } = world;
      let quarantined = false;
      const lastsMs = random.chance(0.5) ? 5_000 : 180_000;
      const again = () => {
        quarantined ||= judge.docket(vm).blocked.has('quarantine');
        if (quarantined && vm.isWell) return judge.close(opened);
        if (!quarantined && vm.vmm !== null && timeline.nowMs - vm.vmm.startedAtMs > lastsMs) vm.die();
        timeline.after(random.between(lastsMs / 5, lastsMs), again);
      };
      vm.die();
      again();
    },
  ),
  vmFault(
    'vmm-stop',
    (vm) => ({
      need: 'act',
      boundMs: 60_000,
      permits: ['continue-process', 'power-cycle'],
      isOver: () => vm.isWell,
    }),
    (vm) =>
      vm.change(() => {
        vm.stopped = true;
      }),
  ),
  // Its management interface is silent, and the guest lives.
  vmFault(
    'api-wedge',
    (vm) => ({ need: 'tell', boundMs: 90_000, permits: [], isOver: () => vm.monitor === 'ok' }),
    (vm, world) => {
      vm.change(() => {
        vm.monitor = 'wedged';
      });
      world.timeline.after(world.random.between(3, 60) * MINUTE_MS, () =>
        vm.change(() => {
          vm.monitor = 'ok';
        }),
      );
    },
  ),
  // Silent as well, and the guest is lost: after `wedgedAfter` it is ended.
  vmFault(
    'vmm-wedged',
    (vm) => ({
      need: 'act',
      boundMs: 180_000 + vm.spec.recovery.wedgedAfterMs,
      permits: ['reset', 'power-cycle'],
      isOver: () => vm.isWell,
    }),
    (vm) =>
      vm.change(() => {
        vm.monitor = 'wedged';
        vm.guest = 'hung';
      }),
  ),
  vmFault(
    'monitor-held',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.monitor === 'ok' }),
    (vm, world) => {
      vm.tell({ type: 'monitor', state: 'busy', why: 'another client is connected' });
      vm.change(() => {
        vm.monitor = 'held';
      });
      world.timeline.after(world.random.between(1, 30) * MINUTE_MS, () => {
        vm.change(() => {
          vm.monitor = 'ok';
        });
        vm.tell({ type: 'monitor', state: 'connected' });
      });
    },
  ),
  vmFault(
    'tap-down',
    (vm) => ({
      need: vm.hasAgent ? 'act' : 'tell',
      boundMs: vm.hasAgent ? 120_000 : VETOED_MS,
      permits: ['reboot'],
      once: true,
      isOver: () => vm.link === 'up',
    }),
    (vm, world) => {
      vm.change(() => {
        vm.link = 'down';
      });
      world.timeline.after(world.random.between(10, 60) * MINUTE_MS, () =>
        vm.change(() => {
          vm.link = 'up';
        }),
      );
    },
  ),
  // Four losses in a row are what a liveness probe is told to call unreachable; the mildest answer does no harm.
  vmFault(
    'packet-loss',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: ['restart-service'], isOver: () => vm.loss === 0 }),
    (vm, world) => {
      const loss = world.random.between(1, 5) / 100;
      vm.change(() => {
        vm.loss = loss;
      });
      world.timeline.after(world.random.between(5, 30) * MINUTE_MS, () =>
        vm.change(() => {
          vm.loss = 0;
        }),
      );
    },
  ),
];
