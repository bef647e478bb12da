import type { HealthState } from '../model/health.js';
import type { Assessment } from './assess.js';
import { type StepContext, say } from './context.js';
import { blindProbes, blindText, degradingProbes, guestSeen, inGrace, readinessOk } from './signals.js';
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

function healthOf(vm: PolicyVmState, found: Assessment, now: number): HealthState {
  if (vm.maintenance) return 'maintenance';
  if (vm.quarantine) return 'quarantined';
  if (vm.action && !vm.action.unresolved) return vm.action.charged ? 'recovering' : 'starting';
  switch (found.kind) {
    case 'unknown':
      // A restarted daemon says what the last one knew until it has looked.
      return vm.health;
    case 'stopped':
    case 'start-up':
      return 'stopped';
    case 'paused':
      return 'paused';
    case 'wait':
      return 'unhealthy';
    case 'verdict':
      return found.verdict.diagnosis.kind === 'vmm-wedged' ? 'degraded' : 'unhealthy';
    case 'suspect':
      return found.unhealthy ? 'unhealthy' : 'degraded';
    case 'blind':
      return 'unknown';
    case 'fine':
      return healthWhenFine(vm, now);
  }
}

function healthWhenFine(vm: PolicyVmState, now: number): HealthState {
  const { episode } = vm;
  const tried = episode?.outcome === 'open' && episode.attempts.length > 0;
  if (tried && episode.healedAtMs === null) return 'recovering';
  if (inGrace(vm, now)) return 'starting';
  if (degradingProbes(vm, now).length > 0) return 'degraded';
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
