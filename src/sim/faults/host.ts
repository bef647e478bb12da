import type { LadderStep } from '../../model/action.js';
import type { SimHost } from '../sim-host.js';
import type { SimVm } from '../sim-vm.js';
import type { World } from '../world.js';
import { type FaultKind, hostFault, isSettled, MINUTE_MS } from './fault.js';

/** From so many on, and at least a tenth, failures have a cause in common. */
const TOGETHER = 4;

/** After the boot of a host, every VM that is to run always is started; people start the others. */
function startUp(host: SimHost, world: World, downMs: number): void {
  const { judge, timeline, random, operator } = world;
  for (const vm of host.vms) {
    if (vm.wantedOff) continue;
    const always = vm.spec.runStrategy === 'Always';
    judge.open({
      kind: 'host-reboot',
      vm,
      need: always ? 'act' : 'nothing',
      boundMs: 60_000,
      permits: ['start'],
      isOver: () => vm.isWell,
      isNoFailure: true,
    });
    if (always) continue;
    timeline.after(downMs + random.between(5, 30) * MINUTE_MS, () => operator.start(vm));
  }
}

/** The host is gone at once, and comes back. */
function goDown(host: SimHost, world: World): void {
  const downMs = world.random.between(60, 300) * 1000;
  host.isDown = true;
  host.killDaemon();
  for (const vm of host.vms) {
    world.judge.abandon(vm);
    vm.die();
    vm.repair();
  }
  host.reboot();
  startUp(host, world, downMs);
  world.timeline.after(downMs, () => {
    host.isDown = false;
    host.signs = { shutdown: null, pressure: null, memory: null };
    host.startDaemon();
  });
}

/** Settled VMs of the host, if there are enough for their failure to look like one. */
function enough(host: SimHost, world: World, fits: (vm: SimVm) => boolean): readonly SimVm[] | undefined {
  const { judge } = world;
  // One failure at a time per host: who is to blame for what would not be known otherwise.
  if (host.vms.some((vm) => !judge.isIdle(vm) && !vm.wantedOff)) return undefined;
  const found = host.vms.filter((vm) => isSettled(world, vm) && fits(vm));
  return found.length >= TOGETHER ? found : undefined;
}

function openAll(
  vms: readonly SimVm[],
  world: World,
  kind: string,
  permits: readonly LadderStep[],
  isOver: (vm: SimVm) => boolean,
): void {
  for (const vm of vms) {
    world.judge.open({ kind, vm, need: 'nothing', boundMs: 0, permits, isOver: () => isOver(vm) });
  }
}

export const HOST_FAULTS: readonly FaultKind[] = [
  hostFault('host-reboot', (host, world) => {
    if (host.vms.some((vm) => !world.judge.isIdle(vm))) return false;
    goDown(host, world);
    return true;
  }),
  // In order: it says that it goes down, ends every VM, and then itself.
  hostFault('host-shutdown', (host, world) => {
    const { timeline, random, judge } = world;
    if (host.vms.some((vm) => !judge.isIdle(vm))) return false;
    host.show({ shutdown: 'reboot' });
    host.blocked.begin('shutdown');
    host.isGoingDown = true;
    let afterMs = random.between(3_000, 60_000);
    for (const vm of host.vms) {
      afterMs += random.between(0, 2_000);
      timeline.after(afterMs, () => vm.die([{ type: 'shutdown', guest: false, reason: 'host-signal' }]));
    }
    timeline.after(afterMs + 10_000, () => {
      host.isGoingDown = false;
      goDown(host, world);
      host.blocked.end('shutdown');
    });
    return true;
  }),
  hostFault('bridge-down', (host, world) => {
    const { timeline, random, judge } = world;
    const { network } = random.pick(host.vms);
    const vms = enough(host, world, (vm) => vm.network === network);
    if (!vms) return false;
    const isOver = () => !host.downNetworks.has(network);
    host.change(() => host.downNetworks.add(network));
    openAll(vms, world, 'bridge-down', [], isOver);
    judge.openHost('bridge-down', host, 120_000, isOver);
    timeline.after(random.between(1, 60) * MINUTE_MS, () => {
      host.change(() => host.downNetworks.delete(network));
    });
    return true;
  }),
  // Everything on it is slow, and it shows that itself.
  hostFault('host-overload', (host, world) => {
    const { timeline, random, judge } = world;
    const vms = enough(host, world, () => true);
    if (!vms) return false;
    const slow = vms.filter(() => random.chance(0.7));
    // A few that are slow are slow by themselves, for all that anybody can tell.
    if (slow.length < TOGETHER) return false;
    const forMs = random.between(2, 40) * MINUTE_MS;
    const endMs = timeline.nowMs + forMs;
    host.show({ pressure: 'cpu 97 %' });
    openAll(slow, world, 'host-overload', ['restart-service'], (vm) => timeline.nowMs >= endMs && vm.isWell);
    judge.openHost('host-overload', host, 180_000, () => timeline.nowMs >= endMs);
    for (const vm of slow) vm.change(() => vm.slowDown());
    timeline.after(forMs, () => {
      host.show({ pressure: null });
      for (const vm of slow) vm.change(() => vm.speedUp());
    });
    return true;
  }),
  // Many VMMs end at once, as with a broken update.
  hostFault('boot-storm', (host, world) => {
    const { timeline, random, judge, operator } = world;
    const vms = enough(host, world, () => true);
    if (!vms) return false;
    const dead = vms.filter(() => random.chance(0.6));
    openAll(dead, world, 'boot-storm', ['start'], (vm) => vm.isWell);
    if (dead.length >= TOGETHER) judge.openHost('boot-storm', host, 60_000, () => false);
    for (const vm of dead) timeline.after(random.between(0, 10_000), () => vm.die());
    timeline.after(random.between(10, 40) * MINUTE_MS, () => operator.resume(host));
    return true;
  }),
];
