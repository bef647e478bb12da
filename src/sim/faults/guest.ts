import type { LadderStep } from '../../model/action.js';
import type { Cure, SimVm } from '../sim-vm.js';
import type { World } from '../world.js';
import { type FaultKind, vmFault } from './fault.js';

/** A guest that is lost is lost: only a boot brings it back. */
const BOOTS: readonly LadderStep[] = ['reset', 'power-cycle'];
const SERVICE: readonly LadderStep[] = ['restart-service', 'reboot', 'reset', 'power-cycle'];
/** Three probes 10 s apart, a fresh look, and the pause after one that settled nothing. */
const INFERRED_MS = 90_000;

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
  const dice = world.random.fraction();
  return dice < 0.7 ? 'restart' : dice < 0.95 ? 'boot' : 'repair';
}

function breakService(vm: SimVm, how: 'crashed' | 'slow', cure: Cure): void {
  vm.change(() => {
    vm.service = how;
    vm.cure = cure;
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
];
