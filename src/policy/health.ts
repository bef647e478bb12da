import type { HealthState } from '../model/health.js';
import type { Assessment } from './assess.js';
import { type StepContext, say } from './context.js';
import { blindProbes, blindText, guestSeen, inGrace, isDegraded, readinessOk } from './signals.js';
import type { PolicyVmState } from './vm-state.js';

/** Notes health and readiness; a change of health is a decision. */
export function noteHealth(ctx: StepContext, vm: PolicyVmState, found: Assessment): void {
  vm.ready = readyOf(vm, found);
  const health = healthOf(vm, found, ctx.now);
  if (health === vm.health) return;
  const from = vm.health;
  vm.health = health;
  vm.healthSinceMs = ctx.now;
  const why = whyOf(vm, found);
  const text = `${from} → ${health}${why === '' ? '' : `: ${why}`}`;
  say(ctx, { vm, kind: 'health', rule: 'health', text, data: { from, to: health } });
}

type HealthKey = 'maintenance' | 'quarantine' | 'action' | Assessment['kind'];

/** The state of health by what is known, the first that is true. docs/internals/policy/health.svg is made of this. */
export const HEALTH_BY: Readonly<
  Record<HealthKey, { readonly when: string; readonly states: readonly [HealthState, ...HealthState[]] }>
> = {
  maintenance: { when: 'a person works on it', states: ['maintenance'] },
  quarantine: { when: 'a budget is used up', states: ['quarantined'] },
  action: { when: 'an action is in flight', states: ['recovering', 'starting'] },
  unknown: { when: 'nobody has looked yet: as it was', states: ['unknown'] },
  stopped: { when: 'off, and not wanted on', states: ['stopped'] },
  'start-up': { when: 'off at first look, and wanted', states: ['stopped'] },
  paused: { when: 'others paused or save it', states: ['paused'] },
  wait: { when: 'it fails, and acts by itself', states: ['unhealthy'] },
  verdict: { when: 'panic, watchdog, dead process, disk', states: ['unhealthy', 'degraded'] },
  suspect: { when: 'probes fail', states: ['unhealthy', 'degraded'] },
  blind: { when: 'its probes cannot see', states: ['unknown'] },
  fine: {
    when: 'nothing speaks against it',
    states: ['healthy', 'degraded', 'recovering', 'starting', 'unknown'],
  },
};

/** Which row of the table holds. */
export function healthKey(vm: PolicyVmState, found: Assessment): HealthKey {
  if (vm.maintenance) return 'maintenance';
  if (vm.quarantine) return 'quarantine';
  return vm.action && !vm.action.unresolved ? 'action' : found.kind;
}

function healthOf(vm: PolicyVmState, found: Assessment, now: number): HealthState {
  const key = healthKey(vm, found);
  if (key === 'action') return vm.action?.charged ? 'recovering' : 'starting';
  // A restarted daemon says what the last one knew until it has looked.
  if (key === 'unknown') return vm.health;
  if (key === found.kind) {
    if (found.kind === 'verdict')
      return found.verdict.diagnosis.kind === 'vmm-wedged' ? 'degraded' : 'unhealthy';
    if (found.kind === 'suspect') return found.unhealthy ? 'unhealthy' : 'degraded';
    if (found.kind === 'fine') return healthWhenFine(vm, now);
  }
  return HEALTH_BY[key].states[0];
}

function healthWhenFine(vm: PolicyVmState, now: number): HealthState {
  const { episode } = vm;
  const tried = episode?.outcome === 'open' && episode.attempts.length > 0;
  if (tried && episode.healedAtMs === null) return 'recovering';
  if (inGrace(vm, now)) return 'starting';
  if (isDegraded(vm, now)) return 'degraded';
  return guestSeen(vm) && readinessOk(vm) ? 'healthy' : 'unknown';
}

/** Paused and stopped leave the list of endpoints; what cannot be seen keeps its place. */
function readyOf(vm: PolicyVmState, found: Assessment): boolean {
  if (found.kind === 'unknown') return vm.ready;
  if (vm.running !== true || found.kind === 'paused') return false;
  if (blindProbes(vm).some((r) => r.spec.role === 'readiness')) return vm.ready;
  return guestSeen(vm) && readinessOk(vm);
}

function whyOf(vm: PolicyVmState, found: Assessment): string {
  if (vm.maintenance) return vm.maintenance.reason;
  if (vm.quarantine) return vm.quarantine.text;
  switch (found.kind) {
    case 'paused':
    case 'wait':
    case 'stopped':
      return found.text;
    case 'verdict':
      return found.verdict.diagnosis.evidence.at(-1)?.text ?? found.verdict.diagnosis.cause;
    case 'suspect':
      return found.key;
    case 'blind':
      return `no conclusive result from ${blindText(found.probes)}`;
    default:
      return '';
  }
}
