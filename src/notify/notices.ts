import type { Severity } from '../model/notification.js';
import { plainText } from '../model/plain-text.js';
import type { VmId } from '../model/vm.js';
import type { RuntimeEvent } from '../runtime/views.js';

/** One thing that people may want to know. */
export interface Notice {
  readonly kind: string;
  readonly severity: Severity;
  readonly atMs: number;
  /** Null: it concerns the whole host. */
  readonly vm: VmId | null;
  /** What belongs together: the VM, or what is wrong with the host. */
  readonly topic: string;
  /** `close`: it is over; whoever heard of it hears that. `report`: neither begins nor ends anything. */
  readonly role: 'open' | 'close' | 'report';
  /** Control characters are escaped; may have a guest's words in it. */
  readonly text: string;
}

const MAX_TEXT_CHARS = 500;

interface Rule {
  readonly kind: string;
  readonly severity: Severity;
  readonly role: Notice['role'];
  /** Default: the VM, or the host; of a rule that is about a VM, that of the VM. */
  readonly topic?: string;
  /** Member of the data that tells incidents of that topic apart. */
  readonly by?: string;
  /** The event's type, and members of its data that must have one of these values. */
  readonly when: Readonly<Record<string, readonly string[]>> & { readonly type: readonly string[] };
  /** Whether it must be about a VM; unset: either. */
  readonly aboutVm?: boolean;
}

const decision = (kind: string, ...rules: readonly string[]) => ({
  type: ['decision'],
  kind: [kind],
  ...(rules.length === 0 ? {} : { rule: rules }),
});
const certificate = (state: string): Pick<Rule, 'when' | 'topic' | 'by'> => ({
  topic: 'certificate',
  by: 'probe',
  when: { type: ['daemon'], kind: ['certificate'], state: [state] },
});
const host = { aboutVm: false } as const;
const vm = { aboutVm: true } as const;

/** Rules of escalations that are told as something else already. */
const TOLD_OTHERWISE: ReadonlySet<string> = new Set(['quarantine', 'shared-cause']);

/** What is told of what happens, the first row that fits. docs/guides/notifications.md has the same table. */
export const NOTICE_RULES: readonly Rule[] = [
  {
    kind: 'shared-cause',
    severity: 'critical',
    role: 'open',
    topic: 'shared-cause',
    when: decision('diagnosis', 'diagnosis/shared-cause'),
    ...host,
  },
  { kind: 'failure', severity: 'error', role: 'open', when: decision('diagnosis'), ...vm },
  { kind: 'would-recover', severity: 'info', role: 'report', when: decision('would'), ...vm },
  { kind: 'recovery-begun', severity: 'info', role: 'report', when: { type: ['action-start'] }, ...vm },
  {
    kind: 'recovery-failed',
    severity: 'error',
    role: 'report',
    when: { type: ['action-end'], result: ['failed', 'impossible'] },
    ...vm,
  },
  {
    kind: 'start-blocked',
    severity: 'warning',
    role: 'report',
    when: { type: ['action-end'], result: ['held'], rule: ['pre-start'] },
    ...vm,
  },
  { kind: 'recovered', severity: 'info', role: 'close', when: decision('recovered'), ...vm },
  { kind: 'quarantined', severity: 'critical', role: 'open', when: decision('quarantine'), ...vm },
  {
    kind: 'released',
    severity: 'info',
    role: 'close',
    when: { ...decision('note', 'release'), episode: ['none'] },
    ...vm,
  },
  {
    kind: 'vm-resumed',
    severity: 'info',
    role: 'close',
    when: { ...decision('note', 'person-hold'), episode: ['none'] },
    ...vm,
  },
  {
    kind: 'edit-war',
    severity: 'error',
    role: 'open',
    topic: 'edit-war',
    when: decision('escalate', 'edit-war'),
    ...vm,
  },
  {
    kind: 'edit-war-over',
    severity: 'info',
    role: 'close',
    topic: 'edit-war',
    when: decision('note', 'edit-war'),
    ...vm,
  },
  {
    kind: 'brake',
    severity: 'critical',
    role: 'open',
    topic: 'brake',
    when: decision('hold', 'fleet-brake'),
    ...host,
  },
  {
    kind: 'brake-held',
    severity: 'critical',
    role: 'open',
    topic: 'brake',
    when: decision('escalate', 'fleet-brake'),
    ...host,
  },
  {
    kind: 'brake-released',
    severity: 'info',
    role: 'close',
    topic: 'brake',
    when: decision('note', 'fleet-brake'),
    ...host,
  },
  {
    kind: 'shared-cause-over',
    severity: 'info',
    role: 'close',
    topic: 'shared-cause',
    when: decision('note', 'shared-cause'),
    ...host,
  },
  {
    kind: 'journal',
    severity: 'critical',
    role: 'open',
    topic: 'journal',
    when: { type: ['decision'], kind: ['hold', 'escalate'], rule: ['journal-unavailable'] },
    ...host,
  },
  {
    kind: 'held',
    severity: 'info',
    role: 'report',
    topic: 'hold',
    when: decision('hold', 'person-hold'),
    ...host,
  },
  {
    kind: 'resumed',
    severity: 'info',
    role: 'close',
    topic: 'journal',
    when: decision('note', 'person-hold'),
    ...host,
  },
  { kind: 'escalated', severity: 'critical', role: 'open', when: decision('escalate') },
  { kind: 'certificate-expiring', severity: 'warning', role: 'open', ...certificate('expiring') },
  { kind: 'certificate-expired', severity: 'error', role: 'open', ...certificate('expired') },
  { kind: 'certificate-fine', severity: 'info', role: 'close', ...certificate('fine') },
  {
    kind: 'hook-failed',
    severity: 'warning',
    role: 'report',
    when: { type: ['daemon'], result: ['failed', 'timeout', 'refused'] },
    ...vm,
  },
];

/** What is told of an event; undefined: nothing. */
export function noticeOf(event: RuntimeEvent): Notice | undefined {
  const rule = NOTICE_RULES.find((each) => fits(each, event));
  if (rule === undefined || isToldOtherwise(rule, event) || isIntended(event)) return undefined;
  const { kind, severity, role } = rule;
  const topic = topicOf(rule, event);
  const text = plainText(event.text, MAX_TEXT_CHARS);
  return { kind, severity, role, topic, atMs: event.atMs, vm: event.vm, text };
}

function topicOf({ topic, by }: Rule, { vm, data }: RuntimeEvent): string {
  if (vm === null) return topic ?? 'host';
  const own = by === undefined ? '' : `/${String(data[by])}`;
  return `${topic ?? 'vm'}:${vm}${own}`;
}

function fits({ when, aboutVm }: Rule, event: RuntimeEvent): boolean {
  if (aboutVm !== undefined && aboutVm !== (event.vm !== null)) return false;
  const facts: Readonly<Record<string, unknown>> = { ...event.data, type: event.type };
  return Object.entries(when).every(([name, values]) => values.some((value) => value === facts[name]));
}

function isToldOtherwise({ kind }: Rule, { data }: RuntimeEvent): boolean {
  return kind === 'escalated' && TOLD_OTHERWISE.has(String(data.rule));
}

/** A stop that somebody meant is no failure. */
function isIntended({ data }: RuntimeEvent): boolean {
  return data.kind === 'diagnosis' && data.rule === 'diagnosis/intended';
}
