import type { RecoverySpec } from '../model/vm.js';
import { LIMITS } from './defaults.js';
import type { PolicyVmState } from './vm-state.js';

export interface Budget {
  /** Attempts charged since the VM was last stable. */
  consecutive: number;
  /** Attempts since the VM was last stable, charged or not: the n of the back-off. */
  tries: number;
  /** Times of the charged attempts of the last 24 hours, oldest first. */
  rolling: number[];
  /** Recoveries that did not help, since the last that did. */
  failures: number;
  breakerUntilMs: number | null;
  /** When the last attempt ended: the back-off counts from here. */
  lastEndedAtMs: number;
  /** The last attempt has been counted as failed already. */
  judged: boolean;
}

export function newBudget(): Budget {
  return {
    consecutive: 0,
    tries: 0,
    rolling: [],
    failures: 0,
    breakerUntilMs: null,
    lastEndedAtMs: 0,
    judged: true,
  };
}

/** FNV-1a over the text, as a fraction in [0, 1): randomness that every run repeats. */
export function hashFraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // A last mix: ids differ in their last characters only.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32;
}

/** KubeVirt's back-off: base · n² with up to `jitter` more, at most the cap; n = earlier attempts, none for the first. */
export function backoffMs(spec: RecoverySpec['backoff'], earlier: number, actionId: string): number {
  if (earlier <= 0) return 0;
  const plain = spec.baseMs * earlier * earlier;
  return Math.min(spec.capMs, Math.round(plain * (1 + spec.jitter * hashFraction(actionId))));
}

/**
 * Id of the VM's next action: its time is that of the first thing the id depends on, so that the id, and with it the
 * jitter of the back-off, is known before the action is due.
 */
export function nextActionId(vm: PolicyVmState, sinceMs: number): string {
  const time = new Date(sinceMs).toISOString().replace(/[-:.]/g, '');
  return `${vm.id}@${time}-${String(vm.seq + 1).padStart(4, '0')}`;
}

/** Attempts of the last 24 hours. */
export function rollingUsed(vm: PolicyVmState, now: number): number {
  const since = now - LIMITS.dayMs;
  return vm.budget.rolling.filter((atMs) => atMs > since).length;
}

/** Which budget is used up, if any. */
export function exhausted(vm: PolicyVmState, now: number): 'budget-consecutive' | 'budget-24h' | null {
  const recovery = vm.spec?.recovery;
  if (!recovery) return null;
  if (vm.budget.consecutive >= recovery.maxConsecutive) return 'budget-consecutive';
  return rollingUsed(vm, now) >= recovery.maxPer24h ? 'budget-24h' : null;
}

export function charge(vm: PolicyVmState, now: number): void {
  vm.budget.consecutive += 1;
  const since = now - LIMITS.dayMs;
  vm.budget.rolling = [...vm.budget.rolling.filter((atMs) => atMs > since), now];
}

/** The action was not carried out: nothing was done to the guest. */
export function refund(vm: PolicyVmState, chargedAtMs: number): void {
  vm.budget.consecutive = Math.max(0, vm.budget.consecutive - 1);
  const at = vm.budget.rolling.lastIndexOf(chargedAtMs);
  if (at >= 0) vm.budget.rolling.splice(at, 1);
}

/** The last attempt did not help. Counted once per attempt. */
export function countFailure(vm: PolicyVmState, now: number): void {
  if (vm.budget.judged) return;
  vm.budget.judged = true;
  vm.budget.failures += 1;
  const breaker = vm.spec?.recovery.breaker;
  if (breaker && vm.budget.failures >= breaker.failures) vm.budget.breakerUntilMs = now + breaker.holdMs;
}

/** Health has been back for long enough. The rolling budget is never given back. */
export function giveBack(vm: PolicyVmState): void {
  vm.budget.consecutive = 0;
  vm.budget.tries = 0;
  vm.budget.failures = 0;
  vm.budget.breakerUntilMs = null;
  vm.budget.judged = true;
}
