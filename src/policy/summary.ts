import { VmpulseError } from '../model/errors.js';
import type { HealthState } from '../model/health.js';
import type { ProbeState } from '../model/outcome.js';
import type { ProbeKind, ProbeRole } from '../model/probe.js';
import type { Reason } from '../model/reasons.js';
import type { VmId } from '../model/vm.js';
import { isAsked } from './signals.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** A VM in one glance, for status and metrics. */
export interface VmSummary {
  readonly health: HealthState;
  readonly sinceMs: number;
  /** Whether it would stand in the list of endpoints. */
  readonly ready: boolean;
  /** One line: the diagnosis, the action in flight or what holds it, else its mode; empty when healthy. */
  readonly note: string;
  /** Others undo what we do, so that we have given in, since then; null: no. */
  readonly editWarSinceMs: number | null;
  readonly probes: readonly ProbeSummary[];
}

export interface ProbeSummary {
  readonly name: string;
  readonly role: ProbeRole;
  readonly kind: ProbeKind;
  /** What it said last; of before where it is not asked. */
  readonly state: ProbeState;
  /** False while the VM does not run, or stands still because somebody wants it so. */
  readonly asked: boolean;
  readonly reason: Reason | null;
  /** Wall-clock ms of the last change of state, 0 when none yet. */
  readonly sinceMs: number;
}

/** A person's hold that counts now; `vm` null: all recovery. */
export interface PersonHold {
  readonly vm: VmId | null;
  readonly reason: string;
  readonly author: string;
  readonly untilMs: number | null;
}

/** The state of a VM; throws ERR_VMPULSE_VM_UNKNOWN. */
export function vmOf(state: PolicyState, id: VmId): PolicyVmState {
  const vm = state.vms.get(id);
  if (vm?.spec) return vm;
  throw new VmpulseError(
    'ERR_VMPULSE_VM_UNKNOWN',
    `no VM ${id} is watched; vmpulse status lists those that are`,
  );
}

/** Throws ERR_VMPULSE_VM_UNKNOWN. */
export function summarize(state: PolicyState, id: VmId): VmSummary {
  const vm = vmOf(state, id);
  return {
    health: vm.health,
    sinceMs: vm.healthSinceMs,
    ready: vm.ready,
    note: noteOf(vm),
    editWarSinceMs: vm.war.pausedAtMs,
    probes: probeSummaries(vm),
  };
}

export function probeSummaries(vm: PolicyVmState): ProbeSummary[] {
  return [...vm.probes.values()].map((record) => {
    const { spec, state, reason, sinceMs } = record;
    const { name, role, kind } = spec;
    return { name, role, kind, state, asked: isAsked(vm, record), reason, sinceMs };
  });
}

/** The holds of persons, all VMs' first. */
export function holdsOf(state: PolicyState): PersonHold[] {
  const list: PersonHold[] = [];
  if (state.host.hold) list.push(personHold(null, state.host.hold));
  for (const vm of state.vms.values()) if (vm.hold) list.push(personHold(vm.id, vm.hold));
  return list;
}

function personHold(vm: VmId | null, hold: NonNullable<PolicyVmState['hold']>): PersonHold {
  return { vm, reason: hold.reason, author: hold.author, untilMs: hold.untilMs };
}

function noteOf(vm: PolicyVmState): string {
  const parts: string[] = [];
  const { episode } = vm;
  if (episode && episode.outcome !== 'recovered' && episode.healedAtMs === null) {
    parts.push(`${episode.diagnosis.kind} (${episode.diagnosis.cause})`);
  }
  if (vm.action) parts.push(`${vm.action.action.step} in flight`);
  else {
    const [first] = vm.blockers;
    if (first) parts.push(`${first.rule}: ${first.text}`);
    else if (vm.confirm?.purpose === 'diagnose') parts.push('a fresh look is under way');
    else if (episode?.healedAtMs != null) parts.push('health is back, must stay');
    else if (vm.spec?.mode) parts.push(`${vm.spec.mode.kind}: ${vm.spec.mode.reason}`);
  }
  return parts.join(' · ');
}
