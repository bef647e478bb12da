import type { VmId } from '../../model/vm.js';
import { escaped } from './escaped.js';
import type { VmRow } from './vm-row.js';

/** Adds one sample; `further` is the value of the family's own label. */
type Tell = (value: number, further?: string) => void;

/** A metric that every VM has. */
export interface VmFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** In the order in which they are written. */
  readonly labelNames: readonly string[];
  /** Those of one VM, as text; without a further label. */
  readonly labels: (id: VmId) => string;
  readonly measure: (row: VmRow, tell: Tell) => void;
}

const VM: Pick<VmFamily, 'labelNames' | 'labels'> = {
  labelNames: ['namespace', 'vm'],
  labels: (id) => {
    const { namespace, vm } = nameParts(id);
    return `namespace="${escaped(namespace)}",vm="${escaped(vm)}"`;
  },
};

const FAMILIES: readonly VmFamily[] = [
  {
    ...VM,
    name: 'vmpulse_vm_health',
    help: 'Always 1; the label says in which state of health the VM is.',
    type: 'gauge',
    labelNames: ['namespace', 'vm', 'state'],
    measure: ({ health }, tell) => tell(1, health),
  },
  {
    ...VM,
    name: 'vmpulse_vm_ready',
    help: '1 while the VM may stand in the list of endpoints.',
    type: 'gauge',
    measure: ({ ready }, tell) => tell(Number(ready)),
  },
  {
    ...VM,
    name: 'vmpulse_vm_compliance',
    help: '1 while what runs of the VM is what its documents say.',
    type: 'gauge',
    measure: ({ compliant }, tell) => tell(Number(compliant)),
  },
  {
    ...VM,
    name: 'vmpulse_vm_customized',
    help: 'Always 1; the label names an annotation that makes vmpulse treat the VM otherwise.',
    type: 'gauge',
    labelNames: ['namespace', 'vm', 'type'],
    measure: ({ customizations }, tell) => {
      for (const type of customizations) tell(1, type);
    },
  },
  {
    ...VM,
    name: 'vmpulse_vm_paused',
    help: '1 while automation is paused for the VM, by an annotation or because others undo what it does.',
    type: 'gauge',
    measure: ({ paused }, tell) => tell(Number(paused)),
  },
  {
    ...VM,
    name: 'vmpulse_certificate_expiry_timestamp_seconds',
    help: 'When the certificate ends that a probe sees over TLS, seconds since the epoch; looked at every hour while the VM runs.',
    type: 'gauge',
    labelNames: ['namespace', 'vm', 'probe'],
    measure: ({ certificates }, tell) => {
      for (const { probe, notAfterMs } of certificates) tell(notAfterMs / 1000, probe);
    },
  },
  {
    ...VM,
    name: 'vmpulse_thrashing_total',
    help: 'Times that vmpulse waited, or gave in, because others undid what it did.',
    type: 'counter',
    measure: ({ thrashes }, tell) => tell(thrashes),
  },
];

/** What virt-platform-autopilot's dashboards ask for begins with one of these. */
export const SEED_PREFIXES = ['virt_platform', 'kubevirt_autopilot'] as const;

/** The metrics of VMs; `seedNames`: also under the names of older dashboards. */
export function vmFamilies(seedNames: boolean): readonly VmFamily[] {
  return seedNames ? [...FAMILIES, ...SEED_PREFIXES.flatMap(seedFamilies)] : FAMILIES;
}

const OBJECT: Pick<VmFamily, 'labelNames' | 'labels'> = {
  labelNames: ['kind', 'name', 'namespace'],
  labels: (id) => {
    const { namespace, vm } = nameParts(id);
    return `kind="VirtualMachine",name="${escaped(vm)}",namespace="${escaped(namespace)}"`;
  },
};

/** As older dashboards name annotations. */
const SEED_TYPES: Readonly<Record<string, string>> = { 'ignore-fields': 'ignore' };

/** What virt-platform-autopilot tells of each object. */
function seedFamilies(prefix: string): readonly VmFamily[] {
  return [
    {
      ...OBJECT,
      name: `${prefix}_compliance_status`,
      help: '1=synced, 0=drifted/failed; as vmpulse_vm_compliance.',
      type: 'gauge',
      measure: ({ compliant }, tell) => tell(Number(compliant)),
    },
    {
      ...OBJECT,
      name: `${prefix}_thrashing_total`,
      help: 'Reconciliation throttling events; as vmpulse_thrashing_total.',
      type: 'counter',
      measure: ({ thrashes }, tell) => tell(thrashes),
    },
    {
      ...OBJECT,
      name: `${prefix}_customization_info`,
      help: 'Intentional customizations, always 1; as vmpulse_vm_customized.',
      type: 'gauge',
      labelNames: [...OBJECT.labelNames, 'type'],
      measure: ({ customizations }, tell) => {
        for (const type of customizations) tell(1, SEED_TYPES[type] ?? type);
      },
    },
    {
      ...OBJECT,
      name: `${prefix}_paused_resources`,
      help: '1=reconciliation paused, 0=active; as vmpulse_vm_paused.',
      type: 'gauge',
      measure: ({ paused }, tell) => tell(Number(paused)),
    },
  ];
}

/** The samples of one VM, a line each. */
export function vmLines(family: VmFamily, row: VmRow): string {
  const { name, labelNames } = family;
  const labels = family.labels(row.id);
  const further = labelNames.at(-1);
  let lines = '';
  family.measure(row, (value, text) => {
    const more = text === undefined ? '' : `,${further}="${escaped(text)}"`;
    lines += `${name}{${labels}${more}} ${value}\n`;
  });
  return lines;
}

function nameParts(id: VmId): { namespace: string; vm: string } {
  const slash = id.indexOf('/');
  return { namespace: id.slice(0, Math.max(0, slash)), vm: id.slice(slash + 1) };
}
