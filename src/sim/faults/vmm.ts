import { type FaultKind, vmFault } from './fault.js';

export const VMM_FAULTS: readonly FaultKind[] = [
  vmFault(
    'vmm-crash',
    (vm) => ({ need: 'act', boundMs: 20_000, permits: ['start'], isOver: () => vm.isWell }),
    (vm) => vm.die(),
  ),
  vmFault(
    'vmm-stop',
    (vm) => ({
      need: 'act',
      boundMs: 30_000,
      permits: ['continue-process', 'power-cycle'],
      isOver: () => vm.isWell,
    }),
    (vm) =>
      vm.change(() => {
        vm.stopped = true;
      }),
  ),
];
