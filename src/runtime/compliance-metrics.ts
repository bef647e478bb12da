import { Counter, Histogram } from 'prom-client';
import { gauge, type Making, vmLabels } from './metric-makers.js';

/** What vmpulse can do without, in part; named as status names it. */
const DEPENDENCIES = ['engine', 'kernel-addon', 'kvm', 'privileges'];

export function makeComplianceMetrics(making: Making): void {
  gauge(
    making,
    'vmpulse_vm_compliance',
    '1 while what runs of the VM is what its documents say.',
    ['namespace', 'vm'],
    ({ view }, set) => {
      for (const vm of view.vms) set(vmLabels(vm.id), vm.compliance.compliant ? 1 : 0);
    },
  );
  gauge(
    making,
    'vmpulse_vm_customized',
    'Always 1; the label names an annotation that makes vmpulse treat the VM otherwise.',
    ['namespace', 'vm', 'type'],
    ({ view }, set) => {
      for (const vm of view.vms) for (const type of vm.customizations) set({ ...vmLabels(vm.id), type }, 1);
    },
  );
  gauge(
    making,
    'vmpulse_vm_paused',
    '1 while automation is paused for the VM, by an annotation or because others undo what it does.',
    ['namespace', 'vm'],
    ({ view }, set) => {
      for (const vm of view.vms)
        set(vmLabels(vm.id), vm.mode.kind === 'paused' || vm.editWarSinceMs !== null ? 1 : 0);
    },
  );
  gauge(
    making,
    'vmpulse_dependency_missing',
    '1 while something is missing without which vmpulse works only in part.',
    ['what'],
    ({ view }, set) => {
      for (const what of DEPENDENCIES)
        set({ what }, view.degradations.some((degradation) => degradation.what === what) ? 1 : 0);
    },
  );
}

export function makeReconciling({ registers }: Making): {
  readonly thrashes: Counter<'namespace' | 'vm'>;
  readonly durations: Histogram;
} {
  return {
    thrashes: new Counter({
      name: 'vmpulse_thrashing_total',
      help: 'Times that vmpulse waited, or gave in, because others undid what it did.',
      labelNames: ['namespace', 'vm'],
      registers,
    }),
    durations: new Histogram({
      name: 'vmpulse_reconcile_duration_seconds',
      help: 'How long it took to bring a changed configuration into force.',
      buckets: [0.01, 0.1, 0.5, 1, 5, 15, 60],
      registers,
    }),
  };
}
