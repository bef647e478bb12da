import { NEW_VMM_STEPS, type RecoveryAction } from '../model/action.js';
import { VmpulseError } from '../model/errors.js';
import type { VmId } from '../model/vm.js';
import { LIMITS } from './defaults.js';
import { changesBack } from './edit-war.js';
import { maxEntries } from './host-state.js';
import type { Broken, Invariant } from './invariant-list.js';
import { covers, mendsWhatIsShared } from './shared-cause.js';
import type { PolicyState, StepResult } from './types.js';
import type { PolicyVmState } from './vm-state.js';
import { nextOpenMs } from './windows.js';
import { isVetoable, movedLately } from './witnesses.js';

/**
 * Checks, apart from the rules that decide, what must hold after every step: throws ERR_VMPULSE_INTERNAL naming
 * everything that does not. Whoever gets it holds all recovery. Runs after every step: O(VMs that were looked at), and
 * where all holds next to no garbage.
 */
export function assertInvariants(state: PolicyState, result: StepResult, now: number): void {
  const broken: Broken[] = [];
  const { busy, former } = state.host;
  if (busy.size > Math.max(state.config.maxConcurrentRecoveries, former.slots)) {
    const text = `${busy.size} recoveries at once, ${state.config.maxConcurrentRecoveries} are allowed`;
    broken.push({ invariant: 'one-action', text });
  }
  const acted: string[] = [];
  for (const effect of result.effects) {
    if (effect.type !== 'recover') continue;
    if (acted.includes(effect.action.vm))
      broken.push({ invariant: 'one-action', text: `${effect.action.vm}: two actions in one step` });
    acted.push(effect.action.vm);
    broken.push(...brokenBy(state, effect.action, now));
  }
  for (const id of result.looked) lookedAt(state, id, broken);
  miscounted(state, broken);
  unbounded(state, broken);
  tooManyBoots(state, now, broken);
  if (broken.length === 0) return;
  throw new VmpulseError(
    'ERR_VMPULSE_INTERNAL',
    `an invariant of the policy does not hold: ${broken.map(({ text }) => text).join('; ')}`,
    {
      details: {
        broken: broken.map(({ text }) => text),
        invariants: broken.map(({ invariant }) => invariant),
      },
    },
  );
}

function brokenBy(state: PolicyState, action: RecoveryAction, now: number): Broken[] {
  const vm = state.vms.get(action.vm);
  if (!vm) return [{ invariant: 'permitted', text: `${action.vm}: an action for a VM that is not known` }];
  const broken: Broken[] = [];
  const wrong = (what: string, invariant: Invariant = 'permitted') =>
    broken.push({ invariant, text: `${action.id}: ${what}` });
  if (vm.action?.action.id !== action.id) wrong('it is not the one action in flight of its VM', 'one-action');
  if (!state.host.busy.has(vm.id)) wrong('it has no slot of the host', 'one-action');
  if (!vm.spec) wrong('its VM is not configured');
  if (!vm.spec?.recovery.enabled) wrong('recovery of its VM is not enabled');
  const { mode } = vm.spec ?? {};
  if (mode?.kind === 'paused') wrong('its VM is paused by an annotation');
  if (mode?.kind === 'unmanaged' && action.diagnosis.cause !== 'scheduled') wrong('its VM is unmanaged');
  if (!vm.spec?.steps.includes(action.step)) wrong(`${action.step} is not supported`);
  if (action.step === 'start' && vm.running === true) wrong('its VMM runs', 'one-vmm');
  if (vm.quarantine) wrong('its VM is quarantined', 'budget');
  if (vm.suspended) wrong('its VM is suspended');
  if (vm.facts.migratingAtMs !== null) wrong('its VM is being moved or saved');
  if (vm.maintenance) wrong('a person works on its VM');
  if (state.host.journalHold !== null) wrong('the journal failed');
  for (const hold of [state.host.hold, vm.hold]) {
    if (hold && (hold.untilMs === null || hold.untilMs > now)) wrong(`${hold.author} holds recovery`);
  }
  const { brake, signs } = state.host;
  if (signs.shutdown !== null) wrong('the host shuts down');
  // One that engaged in this very step may have come after the action.
  if (signs.memory !== null && NEW_VMM_STEPS.has(action.step)) wrong('the host is short of memory');
  if (vm.war.pausedAtMs !== null && vm.war.pausedAtMs < now && changesBack(action.step))
    wrong('it is in an edit war');
  const proves = mendsWhatIsShared(action.step, action.diagnosis);
  if (brake !== null && brake.sinceMs < now && vm.action?.charged && !proves) wrong('the fleet brake holds');
  const windows = vm.spec?.recovery.actionWindows ?? [];
  if (action.diagnosis.cause === 'scheduled' && nextOpenMs(windows, now) > now) wrong('its window is closed');
  const { incident } = state.host;
  if (incident !== null && incident.sinceMs < now && covers(incident, vm) && !proves)
    wrong('an incident holds what shares its cause');
  const inferred = vm.action?.charged && vm.verdict !== null && isVetoable(action.step, vm.verdict);
  if (inferred && movedLately(vm, now) !== null) wrong('its guest still works');
  // A boot that stands still for want of space has no use for its grace until it is let go on.
  const inGrace = vm.graceUntilMs !== null && vm.graceUntilMs > now;
  if (inGrace && action.step !== 'resume') wrong('its VM is in grace');
  for (const what of overBudget(vm)) wrong(what, 'budget');
  for (const what of unfounded(vm, now)) wrong(what, 'founded');
  if (restsOnNothing(vm)) wrong('nothing of its VM failed, and nothing was said of it', 'inconclusive');
  return broken;
}

/** The counts of the fleet cannot be less than nothing, nor can more fail than there are. */
function miscounted(state: PolicyState, broken: Broken[]): void {
  const { failing, counted } = state.host;
  if (failing.size <= counted && counted <= state.vms.size) return;
  const text = `the fleet is counted as ${failing.size} failing of ${counted}, of ${state.vms.size} VMs`;
  broken.push({ invariant: 'permitted', text });
}

function tooManyBoots({ host, config }: PolicyState, now: number, broken: Broken[]): void {
  const { boots, former } = host;
  if (boots.length <= config.maxBootsPerMinute) return;
  // Of a clock that was set back since, the limits' change would be in the future.
  const changedMs = former.bootsUntilMs > now ? 0 : former.bootsUntilMs;
  const fromMs = Math.max(now - LIMITS.bootWindowMs, changedMs);
  const lately = boots.filter((atMs) => atMs > fromMs).length;
  if (lately <= config.maxBootsPerMinute) return;
  const text = `${lately} boots in a minute, ${config.maxBootsPerMinute} are allowed`;
  broken.push({ invariant: 'budget', text });
}

/** Everything that grows has a bound. */
function unbounded(state: PolicyState, broken: Broken[]): void {
  const { host, vms } = state;
  const { mild, boot, start } = host.queues;
  const most = maxEntries(state);
  bound('wakes', host.wakes.length, most, broken);
  bound('places in a queue', Math.max(mild.length, boot.length, start.length), most, broken);
  bound('failures of the window', host.recent.size, vms.size, broken);
  bound('causes', host.groups.size, (LIMITS.sharesKept + 1) * Math.max(1, vms.size), broken);
}

function bound(what: string, size: number, most: number, broken: Broken[]): void {
  if (size > most) broken.push({ invariant: 'bounded', text: `${size} ${what}, at most ${most}` });
}

/** What is kept of a VM is bounded, and where it fails something follows. */
function lookedAt(state: PolicyState, id: VmId, broken: Broken[]): void {
  const vm = state.vms.get(id);
  if (vm === undefined) return;
  bound('former episodes', vm.past.length, state.config.episodesKept, broken);
  bound('attempts', vm.episode?.attempts.length ?? 0, LIMITS.attemptsKept, broken);
  bound('pieces of evidence', vm.verdict?.diagnosis.evidence.length ?? 0, LIMITS.evidenceKept, broken);
  if (isStuck(vm)) broken.push({ invariant: 'acted-on', text: `${id} fails, and nothing will follow` });
}

/** It fails, and neither is anything under way, nor said to hold it, nor will it be looked at by itself. */
function isStuck(vm: PolicyVmState): boolean {
  if (vm.spec === null || vm.health !== 'unhealthy') return false;
  const isUnderWay = vm.action !== null || vm.act !== null || vm.confirm !== null || vm.ticket !== 0;
  return !isUnderWay && vm.blockers.length === 0 && vm.wakeAtMs === null;
}

/** An inferred diagnosis of a VM of which nothing has failed. */
function restsOnNothing({ action, verdict, facts, probes }: PolicyVmState): boolean {
  if (!action?.charged || verdict === null || verdict.conclusive) return false;
  if (facts.linkFault !== null) return false;
  for (const probe of probes.values()) if (probe.state === 'failed' || probe.latched) return false;
  return true;
}

/** An action for a failure has a diagnosis that asks for it, and evidence that still counts. */
function unfounded(vm: PolicyVmState, now: number): string[] {
  if (!vm.action?.charged) return [];
  const { verdict } = vm;
  if (verdict === null) return ['nothing was concluded'];
  const broken: string[] = [];
  if (verdict.remedy !== 'ladder') broken.push('its diagnosis is not answered by an action');
  if (!verdict.conclusive && now - verdict.atMs > LIMITS.confirmFreshMs) broken.push('its evidence is old');
  return broken;
}

function overBudget(vm: PolicyVmState): string[] {
  const recovery = vm.spec?.recovery;
  if (!recovery) return [];
  const broken: string[] = [];
  if (vm.budget.consecutive > recovery.maxConsecutive) broken.push('its consecutive budget is used up');
  if (vm.budget.rolling.length > recovery.maxPer24h) broken.push('its budget of 24 hours is used up');
  return broken;
}
