import { type LadderStep, NEW_VMM_STEPS } from '../model/action.js';
import type { VmId } from '../model/vm.js';
import { brakeBlocker } from './brake.js';
import { backoffMs, nextActionId } from './budget.js';
import { warBlocker } from './edit-war.js';
import { ladderFor } from './ladder.js';
import { idleBecause, inertBecause } from './mode.js';
import type { HoldRecord } from './people.js';
import type { Rule } from './rules.js';
import { incidentBlocker, mendsWhatIsShared, sharedCauseBlocker } from './shared-cause.js';
import { inGrace } from './signals.js';
import { migrationBlocker } from './suspension.js';
import { span, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';
import { progressBlocker, vetoBlocker } from './witnesses.js';

/** A rule that keeps an action from being carried out now. */
export interface Blocker {
  rule: Rule;
  text: string;
  untilMs: number | null;
}

/** Every rule of the VM and of people that forbids the step now; the first one decides. Host slots come after. */
export function blockersOf(
  state: PolicyState,
  vm: PolicyVmState,
  step: LadderStep,
  verdict: Verdict | null,
  now: number,
): Blocker[] {
  const list: Blocker[] = [];
  const add = (rule: Rule, text: string, untilMs: number | null) => list.push({ rule, text, untilMs });
  const { signs } = state.host;
  addHolds(list, state, vm);
  // A start-up is no failure: nothing speaks against it because others fail.
  if (signs.memory !== null && NEW_VMM_STEPS.has(step)) {
    add('host-memory', `the host is short of memory: ${signs.memory}`, null);
  }
  const mends = verdict === null || mendsWhatIsShared(step, verdict.diagnosis);
  const brake = mends ? null : brakeBlocker(state.host);
  if (brake !== null) list.push(brake);
  const shared = sharedCauseBlocker({ state, now }, vm, step, verdict);
  if (shared !== null) list.push(shared);
  addHalted(list, vm);
  if (!verdict?.conclusive && inGrace(vm, now)) list.push(graceBlocker(vm));
  const moving = migrationBlocker(vm);
  if (moving !== null) list.push(moving);
  const veto = vetoBlocker(vm, step, verdict, now);
  if (veto !== null) list.push(veto);
  const progress = progressBlocker(vm, step, verdict, now);
  if (progress !== null) list.push(progress);
  const war = warBlocker(vm.war, step, now);
  if (war !== null) list.push(war);
  const { actionHeld } = vm;
  if (actionHeld && actionHeld.untilMs > now) add(actionHeld.rule, actionHeld.reason, actionHeld.untilMs);
  addPause(list, vm, now);
  if (verdict && mustLast(vm, step, verdict)) {
    const untilMs = (vm.episode?.startedAtMs ?? now) + (vm.spec?.recovery.wedgedAfterMs ?? 0);
    if (untilMs > now) add('wedged-after', 'a stopped VMM is ended only after a while', untilMs);
  }
  return list;
}

/**
 * Why an action that was decided a while ago must not begin any more, for a person: what holds whatever the step is. A
 * veto or a hook may have taken long to let it begin. Undefined: it may.
 */
export function heldMeanwhile(state: PolicyState, id: VmId, now: number): string | undefined {
  const vm = state.vms.get(id);
  if (!vm?.spec) return 'it is not watched any more';
  const list: Blocker[] = [];
  addHolds(list, state, vm);
  // Its configuration may be another since.
  const inert = inertBecause(vm);
  if (inert !== null) list.push(inert);
  const { maintenance } = vm;
  if (maintenance) {
    const text = `${maintenance.author} works on it since ${utc(maintenance.sinceMs)}: ${maintenance.reason}`;
    list.push({ rule: 'maintenance', text, untilMs: maintenance.untilMs });
  }
  return list.find(({ untilMs }) => untilMs === null || untilMs > now)?.text;
}

/** What would keep automation from doing anything to a VM that runs and does not fail, if it began to. */
export function standingBlockers(state: PolicyState, vm: PolicyVmState): Blocker[] {
  const { host } = state;
  const idle = idleBecause(vm);
  const together = incidentBlocker(host, vm) ?? brakeBlocker(host);
  const list: Blocker[] = idle === null ? [] : [idle];
  addHolds(list, state, vm);
  if (together !== null) list.push(together);
  addHalted(list, vm);
  return list;
}

function addHalted(list: Blocker[], vm: PolicyVmState): void {
  if (vm.spec?.runStrategy !== 'Halted') return;
  list.push({ rule: 'run-strategy', text: 'run strategy Halted: the VM should be off', untilMs: null });
}

/** Its guest boots, or the last step is given time to work. */
export function graceBlocker(vm: PolicyVmState): Blocker {
  const { instanceAtMs, budget, graceUntilMs: untilMs } = vm;
  const { lastEndedAtMs } = budget;
  if (lastEndedAtMs === 0 || lastEndedAtMs < instanceAtMs) {
    const since = instanceAtMs > 0 ? ` since ${utc(instanceAtMs)}` : '';
    return { rule: 'grace', text: `its guest boots${since}`, untilMs };
  }
  const last = vm.episode?.attempts.at(-1);
  const step = last?.endedAtMs === lastEndedAtMs ? last.step : 'the last step';
  return { rule: 'grace', text: `${step}, ended at ${utc(lastEndedAtMs)}, is given time to work`, untilMs };
}

const OWN = 'recovery of this VM';

/** What persons and the host say, whatever the step and the VM. */
function addHolds(list: Blocker[], state: PolicyState, vm: PolicyVmState): void {
  addHold(list, state.host.hold, 'all recovery');
  addHold(list, vm.hold, OWN);
  const { journalHold, journalAvailable, signs } = state.host;
  if (journalHold !== null) {
    const how = journalAvailable ? 'recovery goes on once a person resumes it' : 'it cannot be written';
    list.push({ rule: 'journal-unavailable', text: `${journalHold}; ${how}`, untilMs: null });
  }
  if (signs.shutdown !== null)
    list.push({ rule: 'host-shutdown', text: `the host shuts down: ${signs.shutdown}`, untilMs: null });
}

function addHold(list: Blocker[], hold: HoldRecord | null, what: string): void {
  if (hold) list.push({ rule: 'person-hold', text: holdText(hold, what), untilMs: hold.untilMs });
}

function holdText({ author, sinceMs, reason }: HoldRecord, what: string): string {
  return `${author} holds ${what} since ${utc(sinceMs)}: ${reason}`;
}

/** It is the hold of this VM, and not that of all. */
export function isOwnHold({ rule, text }: Blocker, { hold }: PolicyVmState): boolean {
  return rule === 'person-hold' && hold !== null && text === holdText(hold, OWN);
}

/** Distance between attempts: back-off and breaker. */
function addPause(list: Blocker[], vm: PolicyVmState, now: number): void {
  const { budget, spec } = vm;
  if (!spec) return;
  if (budget.tries > 0) {
    const id = nextActionId(vm, vm.episode?.startedAtMs ?? now);
    const delayMs = backoffMs(spec.recovery.backoff, budget.tries, id);
    const untilMs = budget.lastEndedAtMs + delayMs;
    if (untilMs > now) {
      const text = `${span(delayMs)} after the end of attempt ${budget.tries}`;
      list.push({ rule: 'back-off', text, untilMs });
    }
  }
  if (budget.breakerUntilMs !== null && budget.breakerUntilMs > now) {
    const text = `${budget.failures} recoveries did not help; one trial after the pause`;
    list.push({ rule: 'breaker', text, untilMs: budget.breakerUntilMs });
  }
}

/** A process in state T that SIGCONT did not help is treated as wedged: it is ended only if that lasts. */
function mustLast(vm: PolicyVmState, step: LadderStep, verdict: Verdict): boolean {
  const { diagnosis } = verdict;
  return diagnosis.kind === 'vmm-stopped' && step !== ladderFor(diagnosis).steps[0] && vm.episode !== null;
}
