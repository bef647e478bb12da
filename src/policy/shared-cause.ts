import type { LadderStep } from '../model/action.js';
import { escalateHost, type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import type { HostState, Incident } from './host-state.js';
import { bootsGuest } from './ladder.js';
import { bounded, span, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { Blocker, PolicyVmState, Verdict } from './vm-state.js';

/** What all VMs share. */
const HOST = 'host';

/** What the VM shares with others, narrowest first. */
function sharesOf(vm: PolicyVmState): readonly string[] {
  return [...vm.shares, HOST];
}

export function covers(incident: Incident, vm: PolicyVmState): boolean {
  return incident.cause === HOST || vm.shares.includes(incident.cause);
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
  countInGroups(ctx.state.host, vm, -1);
  vm.shares = shares.slice(0, LIMITS.sharesKept).map(bounded);
  countInGroups(ctx.state.host, vm, 1);
}

/** Takes failures that are older than the window out of the counts. */
function forgetOld(ctx: StepContext): void {
  const { host, config } = ctx.state;
  const since = ctx.now - config.sharedCauseWindowMs;
  let old = 0;
  for (let first = host.recent[old]; first !== undefined && first.atMs <= since; first = host.recent[++old]) {
    dropRecent(ctx.state, first);
  }
  if (old > 0) host.recent.splice(0, old);
}

function dropRecent({ host, vms }: PolicyState, failure: HostState['recent'][number]): void {
  const vm = vms.get(failure.vm);
  if (vm) vm.recent = false;
  for (const cause of failure.shares) {
    const group = groupOf(host, cause);
    group.recent -= 1;
    if (group.counted === 0 && group.recent === 0) host.groups.delete(cause);
  }
}

/** The VM is not known any more. */
export function forgetFailure(state: PolicyState, vm: PolicyVmState): void {
  if (!vm.recent) return;
  const { host } = state;
  for (const failure of host.recent) if (failure.vm === vm.id) dropRecent(state, failure);
  host.recent = host.recent.filter((failure) => failure.vm !== vm.id);
}

/** A VM that was fine fails: do others that share something with it fail as well? */
export function noteNewlyFailing(ctx: StepContext, vm: PolicyVmState): void {
  forgetOld(ctx);
  const { host } = ctx.state;
  if (vm.recent) return;
  vm.recent = true;
  const shares = sharesOf(vm);
  host.recent.push({ vm: vm.id, atMs: ctx.now, shares });
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
  const beside = ctx.state.host.recent.filter(
    ({ shares }) => shares.includes(cause) && !shares.includes(incident.cause),
  );
  return beside.length >= ctx.state.config.sharedCauseMinVms;
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
  host.incident = { cause, sinceMs: ctx.now, calmSinceMs: null };
  host.incidentChanged = true;
  const failed = host.recent.filter((failure) => failure.shares.includes(cause)).map((failure) => failure.vm);
  const named = failed.slice(0, LIMITS.namesTold).join(', ');
  const rest = failed.length > LIMITS.namesTold ? ` and ${failed.length - LIMITS.namesTold} more` : '';
  const text = `${failed.length} VMs failed within ${span(config.sharedCauseWindowMs)} that share ${cause}: ${named}${rest}; nothing is done to any VM that shares it`;
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
  ctx.state.host.incidentChanged = true;
  escalateHost(ctx, 'shared-cause', text);
}

/** Ends the incident once fewer fail than would begin one, for long enough; says whether VMs must be looked at anew. */
export function syncIncident(ctx: StepContext): 'declared' | 'over' | null {
  const { host, config } = ctx.state;
  const { incident } = host;
  if (incident === null) return null;
  const failing = host.groups.get(incident.cause)?.failing ?? 0;
  if (failing >= config.sharedCauseMinVms) incident.calmSinceMs = null;
  else incident.calmSinceMs ??= ctx.now;
  if (incident.calmSinceMs !== null && ctx.now >= incident.calmSinceMs + config.brakeCooldownMs) {
    const text = `fewer than ${config.sharedCauseMinVms} VMs that share ${incident.cause} have failed for ${span(config.brakeCooldownMs)}: the incident since ${utc(incident.sinceMs)} is over`;
    endIncident(ctx.state);
    say(ctx, { vm: null, kind: 'note', rule: 'shared-cause', text });
    return 'over';
  }
  if (!host.incidentChanged) return null;
  host.incidentChanged = false;
  return 'declared';
}

/** Forgets the incident and the failures that led to it, so that the next failure alone does not begin it again. */
export function endIncident(state: PolicyState): void {
  const { host } = state;
  host.incident = null;
  host.incidentChanged = false;
  for (const failure of host.recent) dropRecent(state, failure);
  host.recent = [];
}

/** When the incident may be over. */
export function incidentWakeAt(ctx: StepContext): number | null {
  const { host, config } = ctx.state;
  if (host.incident?.calmSinceMs == null) return null;
  return Math.max(host.incident.calmSinceMs + config.brakeCooldownMs, ctx.now + 1);
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
  if (step === 'resume') return null;
  const { incident } = host;
  if (incident !== null && covers(incident, vm)) {
    const text = `many VMs that share ${incident.cause} fail since ${utc(incident.sinceMs)}`;
    return { rule: 'shared-cause', text, untilMs: null };
  }
  if (verdict === null || verdict.conclusive || vm.failingSinceMs === null) return null;
  const untilMs = vm.failingSinceMs + config.sharedCauseWindowMs;
  if (untilMs <= ctx.now || host.counted < config.sharedCauseMinVms) return null;
  const other = host.recent.findLast((failure) => failure.vm !== vm.id);
  const inCompany = other !== undefined && other.atMs > ctx.now - config.sharedCauseWindowMs;
  if (!bootsGuest(step) && !inCompany) return null;
  return { rule: 'correlation', text: 'others may fail of the same cause', untilMs };
}
