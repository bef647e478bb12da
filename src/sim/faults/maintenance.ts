import type { ActionWindow } from '../../model/vm.js';
import type { SimVm } from '../sim-vm.js';
import type { World } from '../world.js';
import { type FaultKind, MINUTE_MS, vmFault } from './fault.js';
import { breakService, INFERRED_MS, SERVICE } from './guest.js';

const DAY_MINUTES = 1_440;
/** What is scheduled is scheduled so long before its window. */
const AHEAD_MINUTES = 120;
/** With so much of an open window to do it in, it must have been done. */
const CHANCE_MS = 20 * MINUTE_MS;
const WATCHED_EVERY_MS = 5 * MINUTE_MS;

/** Minutes until one of the windows opens; 0: one is open. Only of windows that are the same every day. */
function opensIn(windows: readonly ActionWindow[], wallMs: number): number {
  const minute = Math.floor(wallMs / MINUTE_MS) % DAY_MINUTES;
  const waits = windows.map(({ fromMinute, toMinute }) =>
    minute >= fromMinute && minute < toMinute ? 0 : (fromMinute - minute + DAY_MINUTES) % DAY_MINUTES,
  );
  return Math.min(...waits);
}

function isDaily({ days, fromMinute, toMinute }: ActionWindow): boolean {
  return days.length === 0 && fromMinute < toMinute;
}

function isOpen(vm: SimVm, wallMs: number): boolean {
  return opensIn(vm.spec.recovery.actionWindows, wallMs) === 0;
}

/** What a person does to a VM that is worked on; what is left so afterwards is a failure. */
const WORK: readonly ((vm: SimVm) => void)[] = [
  (vm) => breakService(vm, 'crashed', 'restart'),
  (vm) =>
    vm.change(() => {
      vm.guest = 'hung';
    }),
  (vm) => vm.die(),
];

export const MAINTENANCE: readonly FaultKind[] = [
  // Somebody works on it and says so: whatever it looks like meanwhile, nothing is done. Not all who work tidy up.
  vmFault(
    'maintenance',
    () => ({ need: 'nothing', boundMs: 0, permits: [], isOver: () => false }),
    (vm, world, opened) => {
      const { timeline, random, operator, judge } = world;
      const work = random.pick(WORK);
      const tidiesUp = random.chance(0.5);
      operator.work(vm, 'a new disk');
      timeline.after(random.between(10, 240) * 1000, () => work(vm));
      timeline.after(random.between(5, 60) * MINUTE_MS, () => {
        if (tidiesUp && !vm.isWell) operator.repair(vm);
        operator.endWork(vm, () => {
          judge.close(opened);
          if (!vm.isWell) leftBroken(vm, world);
        });
      });
    },
    (vm) => vm.spec.runStrategy === 'Always',
  ),
  // A reboot that waits for its window: in it, it is done; outside of it, it is not.
  vmFault(
    'scheduled-reboot',
    (vm) => ({
      need: 'nothing',
      boundMs: 0,
      permits: ['reboot'],
      permitsAt: (wallMs) => isOpen(vm, wallMs),
      isNoFailure: true,
      isOver: () => false,
    }),
    (vm, world, opened) => {
      const { timeline, operator, judge } = world;
      const { host } = vm;
      let { losses } = host;
      let openForMs = 0;
      operator.schedule(vm, 'reboot');
      const watch = () => {
        if (opened.acts > 0) return judge.close(opened);
        if (host.losses !== losses && !host.hasForgotten) {
          losses = host.losses;
          operator.schedule(vm, 'reboot');
        }
        const canBe = vm.isWell && !host.blocked.runs && !judge.docket(vm).blocked.runs;
        openForMs = canBe && isOpen(vm, host.wallMs()) ? openForMs + WATCHED_EVERY_MS : 0;
        if (openForMs <= CHANCE_MS) return void timeline.after(WATCHED_EVERY_MS, watch);
        judge.find('missed', vm, 'scheduled-reboot: its window is open, and it was not done');
        judge.close(opened);
      };
      timeline.after(WATCHED_EVERY_MS, watch);
    },
    (vm) => {
      const { actionWindows } = vm.spec.recovery;
      const minutes = opensIn(actionWindows, vm.host.wallMs());
      return actionWindows.every(isDaily) && minutes > 0 && minutes <= AHEAD_MINUTES;
    },
  ),
];

/** Whoever worked on it has gone, and it does not work. */
function leftBroken(vm: SimVm, { judge }: World): void {
  judge.open({
    kind: 'maintenance',
    vm,
    need: 'act',
    boundMs: INFERRED_MS,
    permits: [...SERVICE, 'start'],
    isOver: () => vm.isWell,
  });
}
