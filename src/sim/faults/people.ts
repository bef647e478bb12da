import type { Case } from '../case.js';
import type { SimHost } from '../sim-host.js';
import type { SimVm } from '../sim-vm.js';
import type { World } from '../world.js';
import { crashMeanwhile, type FaultKind, hostFault, MINUTE_MS, vmFault } from './fault.js';

/** Somebody's script is back at it after so long. */
const ROUND_MS = 6 * MINUTE_MS;
/** So often automation answers in a day, and not once more without people being told. */
const EDITS_A_DAY = 5;

function stopAgainAndAgain(vm: SimVm, world: World, opened: Case): void {
  const { timeline, random, operator, judge } = world;
  let undone = -1;
  let { losses } = vm.host;
  const end = () => {
    judge.close(opened);
    if (!vm.isWell) operator.repair(vm);
    operator.release(vm);
  };
  const stop = () => {
    if (opened.endedAtMs !== null) return;
    if (vm.isWell) undone += 1;
    // The count of it went with the journal.
    if (vm.host.losses !== losses) undone = -1;
    ({ losses } = vm.host);
    if (undone > EDITS_A_DAY && opened.toldAtMs === null) {
      judge.find('missed', vm, `edit-war: nobody was told, though we undid it ${undone} times`);
      return end();
    }
    if (vm.vmm !== null && vm.guest === 'up')
      vm.change(() => {
        vm.stopped = true;
      });
    timeline.after(ROUND_MS + random.between(-30_000, 30_000), stop);
    if (opened.toldAtMs !== null) timeline.after(random.between(1, 5) * ROUND_MS, end);
  };
  stop();
}

/**
 * Every VM is moved to other hosts, one after another, and back when the work is done. Whoever does that says so: a daemon
 * that was down meanwhile could not know that they are elsewhere.
 */
function drain(host: SimHost, world: World): void {
  const { timeline, random, judge, operator } = world;
  let afterMs = 0;
  for (const vm of host.vms) {
    if (vm.wantedOff || vm.vmm === null) continue;
    afterMs += random.between(2_000, 20_000);
    const isOver = () => !vm.wantedOff && vm.isWell && !operator.worksOn(vm);
    judge.open({ kind: 'host-drain', vm, need: 'nothing', boundMs: 0, permits: [], isOver });
    vm.wantedOff = true;
    operator.work(vm, 'the host is drained');
    timeline.after(afterMs, () => {
      vm.say({ type: 'migration', active: true, status: 'active' });
    });
    timeline.after(afterMs + random.between(1_000, 60_000), () => {
      vm.die([{ type: 'shutdown', guest: false, reason: 'host-qmp-quit' }]);
    });
    timeline.after(afterMs + random.between(10, 30) * MINUTE_MS, () => {
      vm.wantedOff = false;
      // Somebody else may have started it meanwhile.
      if (vm.vmm === null) operator.start(vm);
      else operator.endWork(vm);
    });
  }
}

/** What people and their tools do: nothing of it is a failure. */
export const PEOPLE: readonly FaultKind[] = [
  vmFault(
    'operator-stop',
    (vm) => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => vm.isWell }),
    (vm, world) => {
      vm.wantedOff = true;
      const reason = world.random.chance(0.7) ? 'host-qmp-quit' : 'host-signal';
      vm.die([{ type: 'shutdown', guest: false, reason }]);
      world.timeline.after(world.random.between(5, 90) * MINUTE_MS, () => world.operator.start(vm));
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
  hostFault('host-drain', (host, world) => {
    if (host.vms.some((vm) => !world.judge.isIdle(vm))) return false;
    drain(host, world);
    return true;
  }),
  // A script stops the VMM whenever it finds it running: we give in, people are told, and one ends the script.
  vmFault(
    'edit-war',
    () => ({
      need: 'nothing',
      boundMs: 0,
      permits: ['continue-process', 'power-cycle'],
      isOver: () => false,
    }),
    stopAgainAndAgain,
  ),
  hostFault('person-hold', (host, world) => {
    world.operator.hold(host, world.random.between(5, 60) * MINUTE_MS);
    world.timeline.after(world.random.between(2, 240) * 1000, () => crashMeanwhile(host, world));
    return true;
  }),
];
