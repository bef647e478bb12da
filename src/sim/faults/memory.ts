import { type FaultKind, hostFault, isSettled, MINUTE_MS } from './fault.js';

export const MEMORY_FAULTS: readonly FaultKind[] = [
  // The host takes a VMM for want of memory, and has none for another one for a while.
  hostFault('oom', (host, world) => {
    const { timeline, random, judge } = world;
    const vm = host.vms.find((one) => isSettled(world, one));
    if (!vm) return false;
    host.canStart = false;
    judge.open({
      kind: 'oom',
      vm,
      need: 'act',
      boundMs: 20_000,
      permits: ['start'],
      isOver: () => vm.isWell,
    });
    vm.die();
    timeline.after(random.between(1, 15) * MINUTE_MS, () => {
      host.canStart = true;
    });
    return true;
  }),
  // It shows itself that it is short of memory, and its kernel has ended a VMM: the next one would be ended as well.
  hostFault('memory-pressure', (host, world) => {
    const { timeline, random, judge } = world;
    const fits = host.vms.filter((one) => isSettled(world, one));
    if (fits.length === 0) return false;
    const vm = random.pick(fits);
    const kind = 'memory-pressure';
    host.show({ memory: '1.8 % of it is available' });
    host.blocked.begin('memory');
    const short = judge.open({ kind, vm, need: 'nothing', boundMs: 0, permits: [], isOver: () => false });
    timeline.after(random.between(0, 30_000), () => vm.die([{ type: 'oom-killed' }]));
    timeline.after(random.between(1, 20) * MINUTE_MS, () => {
      host.show({ memory: null });
      host.blocked.end('memory');
      judge.close(short);
      judge.open({ kind, vm, need: 'act', boundMs: 20_000, permits: ['start'], isOver: () => vm.isWell });
    });
    return true;
  }),
];
