import type { DiagnosisCause, Evidence } from '../model/health.js';
import { LIMITS } from './defaults.js';
import { isWantedBack } from './exits.js';
import type { ProbeRecord } from './probe-record.js';
import type { ConcludedKind, Rule } from './rules.js';
import {
  allPathsDead,
  apiSilent,
  blindProbes,
  decidesHealth,
  failedTriggers,
  inGrace,
  notRunningByApi,
  pathOf,
  processStopped,
  startupPassed,
} from './signals.js';
import { whyStill } from './suspension.js';
import { evidence, orderEvidence } from './text.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';

/** What the state of a VM, without a fresh look, amounts to. */
export type Assessment =
  | { readonly kind: 'fine' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'paused'; readonly text: string }
  /** Not running, and not wanted to run. */
  | { readonly kind: 'stopped'; readonly rule: Rule; readonly text: string }
  /** Not running when first looked at, and wanted. */
  | { readonly kind: 'start-up' }
  /** A process, a panic or a watchdog has spoken. */
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** It fails, but who acts first is not us. */
  | { readonly kind: 'wait'; readonly rule: Rule; readonly text: string; readonly untilMs: number }
  /** Something fails; a fresh look must say what it means. `key` names what is suspected. */
  | { readonly kind: 'suspect'; readonly key: string; readonly unhealthy: boolean }
  /** Our own probes cannot see. */
  | { readonly kind: 'blind'; readonly probes: readonly ProbeRecord[] };

/** A failed liveness probe holds, but not one that failed while the guest was booting or before its startup probe. */
export function latch(vm: PolicyVmState, now: number): void {
  if (inGrace(vm, now) || !startupPassed(vm)) return;
  for (const record of vm.probes.values()) {
    if (record.spec.role === 'liveness' && record.seen && record.state === 'failed') record.latched = true;
  }
}

/** Weighs what is known. Pure. */
export function assess(vm: PolicyVmState, now: number): Assessment {
  if (vm.running === null) return { kind: 'unknown' };
  if (!vm.running) return assessEnded(vm);
  const { facts } = vm;
  if (facts.processGoneAtMs !== null) {
    const text = 'the VMM process is gone; its last words are waited for';
    return { kind: 'wait', rule: 'self-action', text, untilMs: facts.processGoneAtMs + LIMITS.lastWordsMs };
  }
  const guest = assessGuest(vm, now);
  if (guest) return guest;
  if (storageFails(vm, now)) {
    const text = facts.ioErrorText || 'I/O error';
    const cause = facts.ioErrorNoSpace ? 'disk-full' : 'disk-io-error';
    // Only a guest that stands still because of it can be let go on.
    const remedy = facts.ioErrorNoSpace && facts.pausedAtMs !== null ? 'ladder' : 'alert';
    return verdict(vm, 'storage', cause, facts.ioErrorAtMs ?? now, text, remedy);
  }
  if (facts.pausedAtMs !== null) return { kind: 'paused', text: whyStill(vm) };
  if (notRunningByApi(vm)) {
    return { kind: 'paused', text: 'the VMM says that the VM is not running' };
  }
  return assessProbes(vm, now);
}

function assessEnded(vm: PolicyVmState): Assessment {
  if (vm.startupPending) return { kind: 'start-up' };
  const strategy = vm.spec?.runStrategy ?? 'Manual';
  if (vm.ended === null) {
    const text = `not running, and run strategy ${strategy} does not start it by itself`;
    return { kind: 'stopped', rule: 'run-strategy', text };
  }
  const { diagnosis, atMs } = vm.ended;
  if (isWantedBack(vm, vm.ended)) {
    return { kind: 'verdict', verdict: { diagnosis, conclusive: true, remedy: 'ladder', atMs } };
  }
  if (vm.off) {
    const text = `stopped by ${vm.off.author}: ${vm.off.reason}; it stays so until it is started or released`;
    return { kind: 'stopped', rule: 'person-stop', text };
  }
  if (diagnosis.cause === 'operator-stop') {
    const text = 'stopped from outside; it stays so until it is started or released';
    return { kind: 'stopped', rule: 'external-stop', text };
  }
  if (vm.ended.back === 'never') {
    const text = `its VMM ended while no daemon watched it: whether it failed is not known, and run strategy ${strategy} brings back only what did; it stays off until it is started or released`;
    return { kind: 'stopped', rule: 'run-strategy', text };
  }
  const how =
    diagnosis.kind === 'intended' ? 'it was shut down by its guest' : 'its VMM ended without being asked to';
  return {
    kind: 'stopped',
    rule: 'run-strategy',
    text: `${how}, and run strategy ${strategy} does not bring it back`,
  };
}

/** Panic and watchdog: the guest has said itself that it is lost. */
function assessGuest(vm: PolicyVmState, now: number): Assessment | null {
  const { facts } = vm;
  if (facts.crashLoadedAtMs !== null) {
    const untilMs = facts.crashLoadedAtMs + (vm.spec?.recovery.kdumpTimeoutMs ?? 0);
    if (now < untilMs) {
      return { kind: 'wait', rule: 'crash-dump', text: 'the crash kernel saves the dump', untilMs };
    }
    return verdict(vm, 'guest-hung', 'guest-panicked', facts.crashLoadedAtMs, 'the guest panicked');
  }
  if (facts.panickedAtMs !== null) {
    const selfActing = facts.panicAction === 'poweroff' || facts.panicAction === 'shutdown';
    const wait = selfActing ? waitFor(facts.panickedAtMs, `panic=${facts.panicAction}`, now) : null;
    return wait ?? verdict(vm, 'guest-hung', 'guest-panicked', facts.panickedAtMs, 'the guest panicked');
  }
  if (facts.watchdogAtMs === null) return null;
  const text = `the watchdog of the guest expired (action ${facts.watchdogAction})`;
  const wait = SELF_ACTING.has(facts.watchdogAction)
    ? waitFor(facts.watchdogAtMs, `watchdog=${facts.watchdogAction}`, now)
    : null;
  return wait ?? verdict(vm, 'guest-hung', 'watchdog-expired', facts.watchdogAtMs, text);
}

/** Watchdog actions that the VMM carries out by itself; its next event says so. */
const SELF_ACTING: ReadonlySet<string> = new Set(['reset', 'poweroff', 'shutdown']);

function waitFor(sinceMs: number, what: string, now: number): Assessment | null {
  const untilMs = sinceMs + LIMITS.selfActionMs;
  if (now >= untilMs) return null;
  return { kind: 'wait', rule: 'self-action', text: `the VMM acts by itself (${what})`, untilMs };
}

/** An I/O error counts while the VMM stands still because of it, and for a while if it does not. */
function storageFails(vm: PolicyVmState, now: number): boolean {
  const { ioErrorAtMs, pausedAtMs } = vm.facts;
  if (ioErrorAtMs === null) return false;
  return (
    pausedAtMs !== null || now < ioErrorAtMs + (vm.spec?.recovery.stableForMs ?? 0) || apiSaysIoError(vm)
  );
}

function apiSaysIoError(vm: PolicyVmState): boolean {
  for (const r of vm.probes.values()) if (r.state === 'failed' && r.reason === 'io-error') return true;
  return false;
}

function assessProbes(vm: PolicyVmState, now: number): Assessment {
  if (inGrace(vm, now)) return { kind: 'fine' };
  const stopped = processStopped(vm);
  const triggers = failedTriggers(vm, now);
  const silent = apiSilent(vm);
  const cutOff = vm.facts.linkFault !== null;
  if (stopped || triggers.length > 0 || silent || cutOff) {
    const unhealthy = stopped || triggers.length > 0 || cutOff || allPathsDead(vm);
    return { kind: 'suspect', key: suspicion(vm, triggers), unhealthy };
  }
  const blind = blindProbes(vm).filter(decidesHealth);
  return blind.length > 0 ? { kind: 'blind', probes: blind } : { kind: 'fine' };
}

/** Names what fails, so that a change of it asks for a new fresh look. */
function suspicion(vm: PolicyVmState, triggers: readonly ProbeRecord[]): string {
  const names: string[] = [];
  for (const r of vm.probes.values()) {
    if ((r.state === 'failed' && r.seen) || triggers.includes(r))
      names.push(`${r.spec.name}=${r.reason ?? pathOf(r)}`);
  }
  if (vm.facts.linkFault !== null) names.push(`link=${vm.facts.linkFault}`);
  return names.sort().join(' ');
}

function verdict(
  vm: PolicyVmState,
  kind: ConcludedKind,
  cause: DiagnosisCause,
  atMs: number,
  text: string,
  remedy: Verdict['remedy'] = 'ladder',
): Assessment {
  const list = orderEvidence([evidence(atMs, 'vmm-event', text), ...probeEvidence(vm)]);
  return {
    kind: 'verdict',
    verdict: {
      diagnosis: { kind, cause, evidence: list },
      conclusive: kind === 'guest-hung' || kind === 'storage',
      remedy,
      atMs,
    },
  };
}

/** What the probes have counted. */
export function probeEvidence(vm: PolicyVmState): Evidence[] {
  const list: Evidence[] = [];
  for (const r of vm.probes.values()) {
    if (!r.seen || r.state !== 'failed') continue;
    const times = r.count > 1 ? `${r.count} times in a row` : 'once';
    list.push(
      evidence(r.streakStartMs || r.sinceMs, r.spec.name, `failed ${times}: ${r.reason ?? 'no reason'}`),
    );
  }
  return list;
}
