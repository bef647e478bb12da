import type { LadderStep } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import type { VmId } from '../model/vm.js';
import type { Blocker } from './blockers.js';
import { escalateHost, type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import type { Failure, HostState, Incident } from './host-state.js';
import { bootsGuest } from './ladder.js';
import { bounded, span, utc } from './text.js';
import type { PolicyConfig, PolicyState } from './types.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';

/** What all VMs share. */
const HOST = 'host';

/** What the VM shares with others, narrowest first. */
function sharesOf(vm: PolicyVmState): readonly string[] {
  return [...vm.shares, HOST];
}

/** Whatever a VM shares. */
export function coversAll({ cause }: Incident): boolean {
  return cause === HOST;
}

export function covers(incident: Incident, vm: PolicyVmState): boolean {
  return coversAll(incident) || vm.shares.includes(incident.cause);
}

/** Adds the VM to the counts of everything that it shares, or takes it out of them. */
export function countInGroups(host: HostState, vm: PolicyVmState, by: 1 | -1): void {
  if (vm.fleet === 'none') return;
  for (const cause of sharesOf(vm)) {
    const group = groupOf(host, cause);
    group.counted += by;
    if (vm.fleet === 'failing') group.failing += by;
    if (group.counted === 0 && group.recent === 0) host.groups.delete(cause);
  }
}

function groupOf(host: HostState, cause: string) {
  let group = host.groups.get(cause);
  if (!group) {
    group = { counted: 0, failing: 0, recent: 0 };
    host.groups.set(cause, group);
  }
  return group;
}

/** What the VM shares with others, as found when its VMM was attached. */
export function noteShares(ctx: StepContext, vm: PolicyVmState, shares: readonly string[]): void {
  const { host } = ctx.state;
  countInGroups(host, vm, -1);
  vm.shares = shares.slice(0, LIMITS.sharesKept).map(bounded);
  countInGroups(host, vm, 1);
}

/** Takes failures that are older than the window out of the counts. */
export function forgetOldFailures(ctx: StepContext): void {
  const { host, config } = ctx.state;
  const since = ctx.now - config.sharedCauseWindowMs;
  for (const [vm, failure] of host.recent) {
    if (failure.atMs > since) return;
    drop(host, vm, failure);
  }
}

/** The VM does not fail any more, or is not known any more. */
export function forgetFailure({ host }: PolicyState, vm: PolicyVmState): void {
  const failure = host.recent.get(vm.id);
  if (failure) drop(host, vm.id, failure);
}

function drop(host: HostState, vm: VmId, failure: Failure): void {
  host.recent.delete(vm);
  for (const cause of failure.shares) {
    const group = groupOf(host, cause);
    group.recent -= 1;
    if (group.counted === 0 && group.recent === 0) host.groups.delete(cause);
  }
}

/** A VM that was fine fails: do others that share something with it fail as well? */
export function noteNewlyFailing(ctx: StepContext, vm: PolicyVmState): void {
  const { host } = ctx.state;
  const shares = sharesOf(vm);
  host.recent.set(vm.id, { atMs: ctx.now, shares });
  for (const cause of shares) groupOf(host, cause).recent += 1;
  const { incident } = host;
  if (incident !== null && covers(incident, vm)) return;
  const cause = likelyCause(ctx, shares);
  if (cause === undefined) return;
  if (incident === null) declare(ctx, cause);
  else if (failsBeside(ctx, incident, cause)) widen(ctx, incident);
}

/** As many as would begin an incident fail that the present one does not explain. */
function failsBeside(ctx: StepContext, incident: Incident, cause: string): boolean {
  let beside = 0;
  for (const { shares } of ctx.state.host.recent.values())
    if (shares.includes(cause) && !shares.includes(incident.cause)) beside += 1;
  return beside >= ctx.state.config.sharedCauseMinVms;
}

/** The cause of which the largest part fails; of equal ones the narrowest. */
function likelyCause(ctx: StepContext, shares: readonly string[]): string | undefined {
  const { host, config } = ctx.state;
  let best: { cause: string; part: number } | undefined;
  for (const cause of shares) {
    const { recent, counted } = groupOf(host, cause);
    const part = recent / Math.max(1, counted);
    if (recent < config.sharedCauseMinVms || part < LIMITS.sharedCausePart) continue;
    if (best === undefined || part > best.part) best = { cause, part };
  }
  return best?.cause;
}

function declare(ctx: StepContext, cause: string): void {
  const { host, config } = ctx.state;
  host.incident = { cause, sinceMs: ctx.now, calmSinceMs: null, aloneSinceMs: null };
  host.incidentChanged = true;
  const failed = [...host.recent].filter(([, { shares }]) => shares.includes(cause)).map(([vm]) => vm);
  const named = failed.slice(0, LIMITS.namesTold).join(', ');
  const rest = failed.length > LIMITS.namesTold ? ` and ${failed.length - LIMITS.namesTold} more` : '';
  const text = `${failed.length} VMs that share ${cause} failed within ${span(config.sharedCauseWindowMs)} and still do: ${named}${rest}; nothing is done to any VM that shares it`;
  say(ctx, {
    vm: null,
    kind: 'diagnosis',
    rule: 'diagnosis/shared-cause',
    text,
    data: { diagnosis: { kind: 'shared-cause', cause: 'many-at-once' }, shared: cause, vms: failed.length },
  });
  escalateHost(ctx, 'shared-cause', text);
}

/** Others fail as well that do not share it: what is wrong is larger. */
function widen(ctx: StepContext, incident: Incident): void {
  const text = `VMs fail as well that do not share ${incident.cause}: nothing is done to any VM of the host`;
  incident.cause = HOST;
  incident.calmSinceMs = null;
  incident.aloneSinceMs = null;
  ctx.state.host.incidentChanged = true;
  escalateHost(ctx, 'shared-cause', text);
}

/** Ends the incident once it is over; says whether VMs must be looked at anew. */
export function syncIncident(ctx: StepContext): 'declared' | 'over' | null {
  const { host, config } = ctx.state;
  const { incident } = host;
  if (incident === null) return null;
  const failing = host.groups.get(incident.cause)?.failing ?? 0;
  incident.calmSinceMs = failing >= config.sharedCauseMinVms ? null : (incident.calmSinceMs ?? ctx.now);
  incident.aloneSinceMs = failing === 1 ? (incident.aloneSinceMs ?? ctx.now) : null;
  const overBecause = whyOver(ctx, incident);
  if (overBecause !== null) {
    const text = `${overBecause}: the incident since ${utc(incident.sinceMs)} is over`;
    endIncident(ctx.state);
    say(ctx, { vm: null, kind: 'note', rule: 'shared-cause', text });
    return 'over';
  }
  if (!host.incidentChanged) return null;
  host.incidentChanged = false;
  return 'declared';
}

/** Null: it is not. */
function whyOver(ctx: StepContext, incident: Incident): string | null {
  const { config } = ctx.state;
  const [aloneAtMs, calmAtMs] = endsAt(incident, config);
  if (ctx.now >= aloneAtMs)
    return `a single VM that shares ${incident.cause} has failed for ${span(config.sharedCauseWindowMs)}`;
  if (ctx.now >= calmAtMs)
    return `fewer than ${config.sharedCauseMinVms} VMs that share ${incident.cause} have failed for ${span(config.brakeCooldownMs)}`;
  return null;
}

/**
 * When the incident is over if nothing changes: once a single VM has failed for the window, in which others would have
 * failed of the same cause; once fewer have failed for the cool-down than would begin one.
 */
function endsAt({ calmSinceMs, aloneSinceMs }: Incident, config: PolicyConfig): readonly [number, number] {
  return [
    (aloneSinceMs ?? Number.POSITIVE_INFINITY) + config.sharedCauseWindowMs,
    (calmSinceMs ?? Number.POSITIVE_INFINITY) + config.brakeCooldownMs,
  ];
}

/** When the incident is over if nothing changes; infinite: not by itself. */
export function incidentEndsAtMs(incident: Incident, config: PolicyConfig): number {
  return Math.min(...endsAt(incident, config));
}

/** Forgets the incident and the failures that led to it, so that the next failure alone does not begin it again. */
export function endIncident(state: PolicyState): void {
  const { host } = state;
  host.incident = null;
  host.incidentChanged = false;
  for (const [vm, failure] of host.recent) drop(host, vm, failure);
}

/** When the incident may be over. */
export function incidentWakeAt(ctx: StepContext): number | null {
  const { host, config } = ctx.state;
  if (host.incident === null) return null;
  const atMs = incidentEndsAtMs(host.incident, config);
  return Number.isFinite(atMs) ? Math.max(atMs, ctx.now + 1) : null;
}

/** The incident, as what holds every step of a VM that shares its cause. */
export function incidentBlocker({ incident }: HostState, vm: PolicyVmState): Blocker | null {
  return incident !== null && covers(incident, vm) ? blockerOf(incident) : null;
}

/** Thousands of VMs have the same one. */
const blockers = new WeakMap<Incident, { readonly cause: string; readonly blocker: Blocker }>();

function blockerOf(incident: Incident): Blocker {
  const { cause, sinceMs } = incident;
  const known = blockers.get(incident);
  if (known?.cause === cause) return known.blocker;
  const text = `many VMs that share ${cause} fail since ${utc(sinceMs)}`;
  const blocker: Blocker = { rule: 'shared-cause', text, untilMs: null };
  blockers.set(incident, { cause, blocker });
  return blocker;
}

/**
 * It puts right what may be shared, and takes no guest away: a VM goes on once there is space again, and the host's side of
 * a network is made as it should be. `reset-network` for another reason only tries something.
 */
export function mendsWhatIsShared(step: LadderStep, { cause }: Pick<Diagnosis, 'cause'>): boolean {
  return step === 'resume' || (step === 'reset-network' && cause === 'link-broken');
}

/** The incident holds what shares its cause; before one, inferred evidence waits for what others do. */
export function sharedCauseBlocker(
  ctx: Pick<StepContext, 'state' | 'now'>,
  vm: PolicyVmState,
  step: LadderStep,
  verdict: Verdict | null,
): Blocker | null {
  const { host, config } = ctx.state;
  // It proves by itself that what was shared is back, and nothing else lets such a guest go on.
  if (verdict !== null && mendsWhatIsShared(step, verdict.diagnosis)) return null;
  const incident = incidentBlocker(host, vm);
  if (incident !== null) return incident;
  if (verdict === null || verdict.conclusive || vm.failingSinceMs === null) return null;
  const untilMs = vm.failingSinceMs + config.sharedCauseWindowMs;
  if (untilMs <= ctx.now || host.counted < config.sharedCauseMinVms) return null;
  const inCompany = host.recent.size > (host.recent.has(vm.id) ? 1 : 0);
  if (!bootsGuest(step) && !inCompany) return null;
  const text = 'whether others that share something with it fail of the same cause is seen first';
  return { rule: 'correlation', text, untilMs };
}
