import { escalateHost, type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { endWar } from './edit-war.js';
import { archive } from './episode.js';
import { wantsAfterFailure } from './exits.js';
import { forget, releaseLatches } from './instance.js';
import { endIncident } from './shared-cause.js';
import { bounded, utc } from './text.js';
import type { PolicyEvent } from './types.js';
import type { PolicyVmState } from './vm-state.js';

export interface HoldRecord {
  reason: string;
  author: string;
  sinceMs: number;
  untilMs: number | null;
}

/** A person holds recovery, of one VM or (null) of all. The newest hold counts. */
export function noteHold(
  ctx: StepContext,
  vm: PolicyVmState | null,
  event: { readonly reason: string; readonly author: string; readonly untilMs: number | null },
): void {
  const hold = recordOf(ctx, event);
  if (vm) vm.hold = hold;
  else ctx.state.host.hold = hold;
  const until = hold.untilMs === null ? '' : ` until ${utc(hold.untilMs)}`;
  const text = `${hold.author} holds ${vm ? 'recovery' : 'all recovery'}${until}: ${hold.reason}`;
  say(ctx, { vm, kind: 'hold', rule: 'person-hold', text });
}

function recordOf(
  ctx: StepContext,
  event: { readonly reason: string; readonly author: string; readonly untilMs: number | null },
): HoldRecord {
  return {
    reason: bounded(event.reason),
    author: bounded(event.author),
    sinceMs: ctx.now,
    // Beyond the last date there is no time limit.
    untilMs: event.untilMs !== null && event.untilMs > LIMITS.lastDateMs ? null : event.untilMs,
  };
}

/** A person begins or ends to work on the VM. */
export function noteMaintenance(
  ctx: StepContext,
  vm: PolicyVmState,
  event: Extract<PolicyEvent, { type: 'maintenance' }>,
): void {
  if (event.begin === null) {
    endMaintenance(ctx, vm, `ended by ${bounded(event.author)}`);
    return;
  }
  vm.maintenance = recordOf(ctx, { ...event.begin, author: event.author });
  const { author, reason, untilMs } = vm.maintenance;
  const until = untilMs === null ? '' : ` until ${utc(untilMs)}`;
  say(ctx, { vm, kind: 'hold', rule: 'maintenance', text: `${author} works on it${until}: ${reason}` });
}

/** What was concluded meanwhile may come from that work: it is concluded anew. */
export function endMaintenance(ctx: StepContext, vm: PolicyVmState, why: string): void {
  if (!vm.maintenance) return;
  vm.maintenance = null;
  forget(vm);
  releaseLatches(vm);
  say(ctx, { vm, kind: 'note', rule: 'maintenance', text: `maintenance is over: ${why}` });
}

/** Withdraws a person's hold; of all VMs, it also ends the hold that a failed journal left, if the journal is back. */
export function noteUnhold(ctx: StepContext, vm: PolicyVmState | null, author: string): void {
  if (vm) {
    vm.hold = null;
    const text = `${bounded(author)} resumes recovery`;
    endWar(ctx, vm, text);
    // Where it fails, what was told of it is over only with its recovery.
    const data = { episode: episodeOf(vm) };
    say(ctx, { vm, kind: 'note', rule: 'person-hold', text, data });
    return;
  }
  const { host } = ctx.state;
  host.hold = null;
  // A person has looked: the incident is over, and the brake lets go until it has had a reason to be off.
  const over = `${bounded(author)} resumes all recovery`;
  if (host.brake !== null) {
    const text = `${over}: the brake since ${utc(host.brake.sinceMs)} is released`;
    host.brake = null;
    host.brakeReleased = true;
    say(ctx, { vm: null, kind: 'note', rule: 'fleet-brake', text });
  }
  if (host.incident !== null) {
    const text = `${over}: the incident since ${utc(host.incident.sinceMs)} is over`;
    say(ctx, { vm: null, kind: 'note', rule: 'shared-cause', text });
  }
  endIncident(ctx.state);
  const stillHeld = host.journalHold !== null && !host.journalAvailable;
  if (!stillHeld) host.journalHold = null;
  const rest = stillHeld ? '; it still holds, for the journal cannot be written' : '';
  const rule = stillHeld ? 'journal-unavailable' : 'person-hold';
  say(ctx, { vm: null, kind: 'note', rule, text: `${over}${rest}` });
}

/** Whether it still fails, for those who are told that a person lets it go on. */
function episodeOf({ episode }: PolicyVmState): 'none' | 'open' {
  return episode === null ? 'none' : 'open';
}

/** True: something changed. */
export function noteJournal(ctx: StepContext, available: boolean): boolean {
  const { host } = ctx.state;
  if (host.journalAvailable === available) return false;
  host.journalAvailable = available;
  if (!available) host.journalHold ??= 'the journal could not be written';
  const text = available
    ? 'the journal can be written again; recovery still holds until a person resumes it'
    : 'the journal cannot be written: all recovery holds, probing goes on';
  say(ctx, { vm: null, kind: 'hold', rule: 'journal-unavailable', text });
  return true;
}

/** Nobody knows what persons wanted of the VMs, nor what was tried: that is no first start. */
export function noteJournalLost(ctx: StepContext, why: string): void {
  const { host } = ctx.state;
  host.journalHold = bounded(`what former runs recorded cannot be used: ${why}`);
  const text = `${host.journalHold}; holds, stops by persons, quarantines and budgets are forgotten; put into maintenance what must stay as it is, then resume recovery`;
  escalateHost(ctx, 'journal-unavailable', text);
}

/** A person hands the VM back to automation: out of quarantine, and an external stop is withdrawn. */
export function noteRelease(ctx: StepContext, vm: PolicyVmState, author: string): void {
  const was: string[] = [];
  if (vm.quarantine) {
    was.push('quarantine');
    vm.quarantine = null;
    archive(ctx, vm);
  }
  const stop = vm.off ? `stop by ${vm.off.author}` : 'external stop';
  vm.off = null;
  if (vm.ended?.back === 'never' && wantsAfterFailure(vm)) {
    was.push(stop);
    vm.ended.back = 'failure';
  }
  vm.budget.consecutive = 0;
  vm.budget.tries = 0;
  vm.budget.failures = 0;
  vm.budget.breakerUntilMs = null;
  vm.impossible = {};
  const what = was.length > 0 ? was.join(' and ') : 'nothing that held it';
  const text = `${bounded(author)} released it from ${what}`;
  endWar(ctx, vm, text);
  say(ctx, { vm, kind: 'note', rule: 'release', text, data: { episode: episodeOf(vm) } });
}
