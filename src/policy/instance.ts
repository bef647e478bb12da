import { noActivity } from './activity.js';
import { type StepContext, say } from './context.js';
import { interpretExit } from './exits.js';
import { newProbeRecord, type ProbeRecord } from './probe-record.js';
import { pathOf } from './signals.js';
import { utc } from './text.js';
import type { PolicyProbe } from './types.js';
import type { PolicyVmState } from './vm-state.js';
import { noFacts } from './vmm-facts.js';

/** A new boot of the guest: thresholds, facts and conclusions of the last one are void; grace begins. */
export function beginInstance(
  ctx: StepContext,
  vm: PolicyVmState,
  bootedAtMs: number,
  options: {
    readonly graceMs: number;
    /** The engine's thresholds start over as well; false where they have only just begun. */
    readonly tellEngine: boolean;
    readonly newVmm: boolean;
  },
): void {
  // A boot of the guest changes neither the monitor nor the host's side of its network.
  const { monitor, monitorAtMs, linkFault, linkText, linkAtMs } = vm.facts;
  vm.facts = { ...noFacts(), monitor, monitorAtMs, linkFault, linkText, linkAtMs };
  vm.instanceAtMs = bootedAtMs;
  const graceUntilMs = bootedAtMs + options.graceMs;
  vm.graceUntilMs = graceUntilMs > ctx.now ? graceUntilMs : null;
  vm.verifyAll = false;
  forgetActivity(ctx, vm);
  forget(vm);
  if (options.tellEngine) startOver(vm, options.newVmm);
  if (vm.action && !vm.action.unresolved) vm.action.sawInstance = true;
  if (!options.tellEngine) return;
  ctx.effects.push({ type: 'new-instance', vm: vm.id });
  say(ctx, {
    vm,
    kind: 'note',
    rule: 'new-instance',
    text: `a new boot of the guest began at ${utc(bootedAtMs)}; thresholds start over`,
  });
}

/** A person has what was counted and concluded forgotten; the guest, budgets and intents stay as they are. */
export function resetProbes(
  ctx: StepContext,
  vm: PolicyVmState,
  { author, clearHistory }: { readonly author: string; readonly clearHistory: boolean },
): void {
  forget(vm);
  startOver(vm, false);
  if (clearHistory) vm.past = [];
  ctx.effects.push({ type: 'restart-probes', vm: vm.id });
  const text = `thresholds of probes start over for ${author}${clearHistory ? '; former episodes are forgotten' : ''}`;
  say(ctx, { vm, kind: 'note', rule: 'probes-reset', text });
}

/** What the guest before did says nothing of this one. */
function forgetActivity(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.activity.watched) ctx.effects.push({ type: 'watch-activity', vm: vm.id, watch: false });
  vm.activity = noActivity(vm.activity.possible);
}

function startOver(vm: PolicyVmState, newVmm: boolean): void {
  for (const [name, record] of vm.probes) {
    // The process watch belongs to the VMM, not to the guest: its target starts over with the process only, and may
    // have spoken before the attachment was reported.
    if (pathOf(record) === 'process' && !(newVmm && record.state === 'failed')) continue;
    vm.probes.set(name, newProbeRecord(record.spec));
  }
}

/** The VM has these probes from now on; what is known of those that it had stays, as far as the engine still counts on it. */
export function configureProbes(
  vm: PolicyVmState,
  probes: readonly PolicyProbe[],
  recounted: ReadonlySet<string>,
): void {
  const records = probes.map((probe) => {
    const known = vm.probes.get(probe.name);
    if (known?.spec.kind !== probe.kind || known.spec.role !== probe.role) return newProbeRecord(probe);
    return recounted.has(probe.name) ? recountedRecord(known, probe) : { ...known, spec: probe };
  });
  vm.probes = new Map(records.map((record) => [record.spec.name, record]));
  if (recounted.size === 0) return;
  vm.verifyAll = true;
  vm.verifyRetryAtMs = 0;
  vm.verifyTries = 0;
}

/**
 * The engine tells no change to the state that it begins with, so that what was known before could stand for ever. A
 * liveness begins as ok: one that had failed starts over. A readiness begins as failed: it keeps its place in the list
 * of endpoints until it was asked.
 */
function recountedRecord(known: ProbeRecord, spec: PolicyProbe): ProbeRecord {
  if (spec.startState === 'ok' && known.state !== 'ok') return newProbeRecord(spec);
  return { ...known, spec, assumed: true };
}

/** Conclusions that hold only for what was seen before. */
export function forget(vm: PolicyVmState): void {
  vm.verdict = null;
  vm.verdictFor = '';
  vm.confirm = null;
  vm.confirmRetryAtMs = 0;
  vm.confirmTries = 0;
  vm.doubt = null;
  vm.verifyRetryAtMs = 0;
  vm.verifyTries = 0;
  vm.wedgedSinceMs = null;
}

/** The VMM ended. A second report of the same end changes nothing. */
export function vmmEnded(vm: PolicyVmState, atMs: number): void {
  if (vm.running === false) return;
  vm.ended = interpretExit(vm, atMs);
  vm.running = false;
  // Conclusive evidence ends the instance, and with it the grace that was given to it.
  vm.graceUntilMs = null;
  vm.startupPending = false;
  // Nobody holds its devices now; the next VMM's are looked at anew.
  vm.facts.linkFault = null;
  forget(vm);
  if (vm.action) vm.action.sawExit = true;
}

/** A ladder step completed: a failed liveness probe no longer holds. */
export function releaseLatches(vm: PolicyVmState): void {
  for (const record of vm.probes.values()) record.latched = false;
}
