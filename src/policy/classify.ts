import type { DiagnosisCause } from '../model/health.js';
import { isLost } from '../model/link.js';
import type { Outcome } from '../model/outcome.js';
import { REASON_CLASS, type Reason } from '../model/reasons.js';
import { probeEvidence } from './assess.js';
import type { ProbeRecord } from './probe-record.js';
import type { ConcludedKind } from './rules.js';
import { answered, failedTriggers, guestPaths, isSilence, pathOf } from './signals.js';
import { evidence, orderEvidence, span, utc } from './text.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';
import { witnessEvidence } from './witnesses.js';

/** What a fresh look at all probes of a VM says about a suspicion. */
export type Finding =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** What had failed answers now. */
  | { readonly kind: 'unconfirmed'; readonly text: string }
  | { readonly kind: 'inconclusive'; readonly text: string };

export type Outcomes = Readonly<Record<string, Outcome>>;

/** One probe in the fresh look: `none` when it had no answer or an inconclusive one. */
interface Fresh {
  readonly record: ProbeRecord;
  readonly result: 'ok' | 'failed' | 'none';
  readonly reason: Reason | null;
}

/**
 * Fuses the fresh outcomes into one diagnosis. Anything missing or inconclusive can only keep a conclusion from being
 * drawn, never draw one. Sets `wedgedSinceMs`, nothing else.
 */
export function classify(vm: PolicyVmState, outcomes: Outcomes, now: number): Finding {
  const fresh = [...vm.probes.values()].map((record) => look(record, outcomes));
  const process = fresh.find((f) => pathOf(f.record) === 'process');
  if (process?.reason === 'process-stopped') {
    return finding(vm, fresh, now, 'vmm-stopped', 'process-stopped', 'the VMM process is stopped (state T)');
  }
  if (process?.reason === 'process-gone') return inconclusive('the VMM process has just ended');
  const api = fresh.find((f) => pathOf(f.record) === 'api');
  if (api?.result === 'failed' && !isSilence(api.reason)) return apiAnswer(vm, fresh, api, now);
  const found = cutOff(vm, fresh, now) ?? weigh(vm, fresh, api, now);
  if (
    !(found.kind === 'verdict' && found.verdict.diagnosis.kind === 'vmm-wedged') &&
    found.kind !== 'inconclusive'
  ) {
    vm.wedgedSinceMs = null;
  }
  return found;
}

/**
 * The host's side of the network is broken. That explains whatever is not reached over it, and is put right first: what
 * is wrong beside it shows then.
 */
function cutOff(vm: PolicyVmState, fresh: readonly Fresh[], now: number): Finding | null {
  const { linkFault, linkText } = vm.facts;
  const probe = fresh.find((f) => pathOf(f.record) === 'link' && f.result === 'failed');
  if (linkFault === null && probe === undefined) return null;
  const lost = linkFault === null ? probe?.reason === 'device-missing' : isLost(linkFault);
  const text = linkText || `${probe?.record.spec.name ?? 'the link'} fails`;
  return finding(vm, fresh, now, 'network', lost ? 'link-lost' : 'link-broken', text);
}

function look(record: ProbeRecord, outcomes: Outcomes): Fresh {
  const outcome = Object.hasOwn(outcomes, record.spec.name) ? outcomes[record.spec.name] : undefined;
  if (outcome === undefined) return { record, result: 'none', reason: null };
  if (outcome.result === 'ok') return { record, result: 'ok', reason: null };
  return { record, result: outcome.result === 'failed' ? 'failed' : 'none', reason: outcome.reason };
}

function apiAnswer(vm: PolicyVmState, fresh: readonly Fresh[], api: Fresh, now: number): Finding {
  if (api.reason === 'guest-panicked') {
    return finding(vm, fresh, now, 'guest-hung', 'guest-panicked', 'the VMM says that the guest panicked');
  }
  if (api.reason === 'io-error') {
    return finding(
      vm,
      fresh,
      now,
      'storage',
      'disk-io-error',
      'the VMM reports the status io-error',
      'alert',
    );
  }
  return inconclusive(`the VMM answers ${api.reason ?? 'nothing usable'}: the guest cannot answer`);
}

function weigh(vm: PolicyVmState, fresh: readonly Fresh[], api: Fresh | undefined, now: number): Finding {
  const paths = fresh.filter((f) => guestPaths(vm).includes(f.record));
  const triggers = failedTriggers(vm, now).map((t) => fresh.find((f) => f.record === t) ?? look(t, {}));
  const failing = triggers.filter((t) => t.result === 'failed');
  const alive = paths.filter(
    (p) => p.result === 'ok' || (p.result === 'failed' && answered(p.record, p.reason)),
  );
  const unseen = paths.filter((p) => p.result === 'none');
  const silent = api?.result === 'failed';
  if (failing.length === 0) {
    if (silent) return wedged(vm, fresh, now, alive.length, unseen.length, paths.length);
    const blind = triggers.filter((t) => t.result === 'none');
    if (blind.length > 0) return inconclusive(`no answer to a fresh look from ${names(blind)}`);
    return { kind: 'unconfirmed', text: 'a fresh look found everything that had failed answering' };
  }
  if (alive.length === 0) {
    if (unseen.length > 0) return inconclusive(`no answer to a fresh look from ${names(unseen)}`);
    if (silent) return wedged(vm, fresh, now, 0, 0, paths.length);
    if (api?.result === 'none') return inconclusive('the VMM could not be asked whether the guest runs');
    const text =
      paths.length === 0
        ? `${names(failing)} fails, and nothing else could tell of the guest`
        : `nothing in the guest answers any more (${names(paths)})`;
    return finding(vm, fresh, now, 'guest-hung', 'all-paths-dead', text);
  }
  return service(vm, fresh, failing, now);
}

/** The guest lives and something in it, or on the way to it, does not. */
function service(
  vm: PolicyVmState,
  fresh: readonly Fresh[],
  failing: readonly Fresh[],
  now: number,
): Finding {
  if (failing.every((f) => f.reason !== null && REASON_CLASS[f.reason] === 'threshold')) {
    const text = `${names(failing)} is over its threshold, the guest answers`;
    return finding(vm, fresh, now, 'resource', 'over-threshold', text);
  }
  const network = fresh.filter((f) => pathOf(f.record) === 'network');
  const agentOk = fresh.some((f) => pathOf(f.record) === 'agent' && f.result === 'ok');
  if (failing.every((f) => pathOf(f.record) === 'agent')) {
    return finding(
      vm,
      fresh,
      now,
      'service',
      'agent-unreachable',
      'the agent is silent, the network answers',
    );
  }
  const unreachable = (f: Fresh) => f.reason !== null && REASON_CLASS[f.reason] === 'unreachable';
  if (agentOk && network.length > 0 && network.every(unreachable)) {
    const text = 'the agent answers, no network probe reaches the guest';
    return finding(vm, fresh, now, 'network', 'network-unreachable', text);
  }
  const witness = agentOk ? 'the agent answers' : 'the guest answers';
  return finding(vm, fresh, now, 'service', 'service-unreachable', `${witness}, ${names(failing)} does not`);
}

/** The management interface is silent. Alone it is only reported; with a dead guest it must last. */
function wedged(
  vm: PolicyVmState,
  fresh: readonly Fresh[],
  now: number,
  alive: number,
  unseen: number,
  paths: number,
): Finding {
  if (alive > 0 || paths === 0) {
    vm.wedgedSinceMs = null;
    const text = 'the VMM does not answer its management interface, the guest is not known to be dead';
    return finding(vm, fresh, now, 'vmm-wedged', 'api-silent', text, 'alert');
  }
  if (unseen > 0) return inconclusive('the VMM does not answer, and the guest could not be asked');
  vm.wedgedSinceMs ??= now;
  const forMs = now - vm.wedgedSinceMs;
  const long = forMs >= (vm.spec?.recovery.wedgedAfterMs ?? Number.POSITIVE_INFINITY);
  const text = `neither VMM nor guest answers, since ${utc(vm.wedgedSinceMs)} (${span(forMs)})`;
  return finding(vm, fresh, now, 'vmm-wedged', 'api-silent', text, long ? 'ladder' : 'wait');
}

function finding(
  vm: PolicyVmState,
  fresh: readonly Fresh[],
  now: number,
  kind: ConcludedKind,
  cause: DiagnosisCause,
  text: string,
  remedy: Verdict['remedy'] = 'ladder',
): Finding {
  const seen = fresh.map(
    (f) => `${f.record.spec.name} ${f.result === 'ok' ? 'ok' : (f.reason ?? 'no answer')}`,
  );
  const list = orderEvidence([
    ...probeEvidence(vm),
    ...witnessEvidence(vm, now),
    evidence(now, 'fresh look', seen.join(', ')),
    evidence(now, 'fresh look', text),
  ]);
  // The kernel of the host says what is wrong with a link; it is not inferred.
  const conclusive = cause === 'guest-panicked' || cause === 'link-broken' || cause === 'link-lost';
  return {
    kind: 'verdict',
    verdict: { diagnosis: { kind, cause, evidence: list }, conclusive, remedy, atMs: now },
  };
}

function inconclusive(text: string): Finding {
  return { kind: 'inconclusive', text };
}

function names(list: readonly Fresh[]): string {
  return list.map((f) => f.record.spec.name).join(', ');
}
