import type { HoldAnswer, HostAnswer, VmAnswer } from '../../daemon/answers/status.js';
import { type Paint, paintState } from './paint.js';
import { type Cell, table } from './table.js';
import { moment, span } from './time.js';

/** The whole host, for a person. */
export function statusText(host: HostAnswer, paint: Paint): string {
  const { vms, nowMs } = host;
  const watched = vms.length === 1 ? '1 VM' : `${vms.length} VMs`;
  const counts = vms.length === 0 ? '' : `: ${healthCounts(vms)}`;
  const up = span(nowMs - host.startedAtMs);
  const head = `${paint.strong(`vmpulse ${host.version} on ${host.host}`)}, ${watched}${counts} (${host.engine} engine, up ${up})\n`;
  const degraded = degradationLines(host.degradations, nowMs, paint);
  const holds = host.holds.map((hold) => `${paint.warning('! recovery held:')} ${holdText(hold, nowMs)}\n`);
  const list =
    vms.length === 0
      ? 'no VMs are watched; put their documents where the configuration says (manifests)\n'
      : vmTable(host, paint);
  return `${head}${degraded}${holds.join('')}\n${list}`;
}

/** What works only in part. */
export function degradationLines(
  degradations: HostAnswer['degradations'],
  nowMs: number,
  paint: Paint,
): string {
  return degradations
    .map(
      ({ what, why, sinceMs }) =>
        `${paint.warning(`! ${what}:`)} ${why} ${paint.faint(`(${span(nowMs - sinceMs)})`)}\n`,
    )
    .join('');
}

/** One VM, for a person. */
export function vmText(vm: VmAnswer, nowMs: number, paint: Paint): string {
  const facts: [string, string][] = [
    ['health', `${paintState(vm.health, paint)} since ${moment(vm.sinceMs)} (${span(nowMs - vm.sinceMs)})`],
    ['ready', vm.ready ? 'yes' : 'no'],
    ['note', vm.note],
    ['address', vm.address ?? '-'],
    ['VMM', vmmText(vm)],
    ['run strategy', vm.runStrategy],
    ['recovery', vm.recoveryEnabled ? 'on' : 'observe only'],
  ];
  if (vm.mode.kind !== 'managed') facts.push(['mode', paint.warning(`${vm.mode.kind} (${vm.mode.reason})`)]);
  if (vm.compliance.drift.length > 0)
    facts.push(['differs in', paint.warning(vm.compliance.drift.join(', '))]);
  if (vm.restartRequired)
    facts.push(['configuration', paint.warning('a change waits for a restart of the VM')]);
  const lines = facts
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `  ${name.padEnd(14)}${value}\n`);
  return `${paint.strong(vm.id)}\n${lines.join('')}\n${probeTable(vm.probes, nowMs, paint)}`;
}

function vmmText({ vmm, health }: VmAnswer): string {
  if (vmm) return `process ${vmm.pid} since ${moment(vmm.startedAtMs)}`;
  return health === 'unknown' ? 'not known' : 'not running';
}

/** Probes of one VM. */
export function probeTable(probes: VmAnswer['probes'], nowMs: number, paint: Paint): string {
  if (probes.length === 0) return 'no probes\n';
  const rows = probes.map(({ name, role, kind, state, asked, reason, sinceMs }): (string | Cell)[] => [
    name,
    role,
    kind,
    { text: asked ? state : 'not asked', paint: asked ? (text) => paintState(text, paint) : paint.faint },
    !asked || sinceMs === 0 ? '-' : span(nowMs - sinceMs),
    asked ? (reason ?? '') : lastSaid(state, reason),
  ]);
  return table(['PROBE', 'ROLE', 'KIND', 'STATE', 'FOR', 'REASON'], rows);
}

/** What a probe said before it was asked no longer. */
function lastSaid(state: string, reason: string | null): string {
  if (state === 'unknown') return '';
  return `was ${state}${reason === null ? '' : `: ${reason}`}`;
}

/** A hold in half a sentence. */
export function holdText({ vm, reason, author, untilMs }: HoldAnswer, nowMs: number): string {
  const until = untilMs === null ? 'until resumed' : `for ${span(untilMs - nowMs)} more`;
  return `${vm ?? 'all VMs'} by ${author}, ${until}: ${reason}`;
}

function healthCounts(vms: readonly VmAnswer[]): string {
  const counts = new Map<string, number>();
  for (const { health } of vms) counts.set(health, (counts.get(health) ?? 0) + 1);
  return [...counts].map(([health, count]) => `${count} ${health}`).join(', ');
}

function vmTable({ vms, nowMs }: HostAnswer, paint: Paint): string {
  const rows = vms.map((vm): (string | Cell)[] => [
    vm.id,
    { text: vm.health, paint: (text) => paintState(text, paint) },
    vm.ready ? 'yes' : 'no',
    span(nowMs - vm.sinceMs),
    vm.recoveryEnabled ? 'on' : 'observe',
    vm.vmm ? String(vm.vmm.pid) : '-',
    vm.restartRequired ? `${vm.note}${vm.note === '' ? '' : '; '}restart required` : vm.note,
  ]);
  return table(['VM', 'HEALTH', 'READY', 'FOR', 'RECOVERY', 'VMM', 'NOTE'], rows);
}
