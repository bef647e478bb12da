import { Counter, Histogram } from 'prom-client';
import { gauge, type Making } from './metric-makers.js';
import { vmGauge } from './vm-gauge.js';

/** What vmpulse can do without, in part; named as status names it. */
const DEPENDENCIES = ['engine', 'kernel-addon', 'kvm', 'privileges'];

export function makeComplianceMetrics(making: Making): void {
  vmGauge(making, {
    name: 'vmpulse_vm_compliance',
    help: '1 while what runs of the VM is what its documents say.',
    measure: ({ compliance }, set) => set(compliance.compliant ? 1 : 0),
  });
  vmGauge(making, {
    name: 'vmpulse_vm_customized',
    help: 'Always 1; the label names an annotation that makes vmpulse treat the VM otherwise.',
    label: 'type',
    measure: ({ customizations }, set) => {
      for (const type of customizations) set(1, type);
    },
  });
  vmGauge(making, {
    name: 'vmpulse_vm_paused',
    help: '1 while automation is paused for the VM, by an annotation or because others undo what it does.',
    measure: ({ mode, editWarSinceMs }, set) =>
      set(mode.kind === 'paused' || editWarSinceMs !== null ? 1 : 0),
  });
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
