import { type LadderStep, NEW_VMM_STEPS } from '../model/action.js';
import { brakeBlocker } from './brake.js';
import { backoffMs, nextActionId } from './budget.js';
import { warBlocker } from './edit-war.js';
import { ladderFor } from './ladder.js';
import type { Rule } from './rules.js';
import { mendsWhatIsShared, sharedCauseBlocker } from './shared-cause.js';
import { inGrace } from './signals.js';
import { migrationBlocker } from './suspension.js';
import { span, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { Blocker, HoldRecord, PolicyVmState, Verdict } from './vm-state.js';
import { progressBlocker, vetoBlocker } from './witnesses.js';

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
  addHold(list, state.host.hold, 'all recovery');
  addHold(list, vm.hold, 'recovery of this VM');
  const { journalHold, journalAvailable } = state.host;
  if (journalHold !== null) {
    const how = journalAvailable ? 'recovery goes on once a person resumes it' : 'it cannot be written';
    add('journal-unavailable', `${journalHold}; ${how}`, null);
  }
  const { signs } = state.host;
  if (signs.shutdown !== null) add('host-shutdown', `the host shuts down: ${signs.shutdown}`, null);
  // A start-up is no failure: nothing speaks against it because others fail.
  if (signs.memory !== null && NEW_VMM_STEPS.has(step)) {
    add('host-memory', `the host is short of memory: ${signs.memory}`, null);
  }
  const mends = verdict === null || mendsWhatIsShared(step, verdict.diagnosis);
  const brake = mends ? null : brakeBlocker(state.host);
  if (brake !== null) list.push(brake);
  const shared = sharedCauseBlocker({ state, now }, vm, step, verdict);
  if (shared !== null) list.push(shared);
  if (vm.spec?.runStrategy === 'Halted')
    add('run-strategy', 'run strategy Halted: the VM should be off', null);
  if (!verdict?.conclusive && inGrace(vm, now)) {
    add('grace', 'the guest boots, or the last step is given time to work', vm.graceUntilMs);
  }
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

function addHold(list: Blocker[], hold: HoldRecord | null, what: string): void {
  if (!hold) return;
  const text = `${hold.author} holds ${what} since ${utc(hold.sinceMs)}: ${hold.reason}`;
  list.push({ rule: 'person-hold', text, untilMs: hold.untilMs });
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
