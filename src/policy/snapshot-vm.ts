import { type ActionResult, LADDER_STEPS, type LadderStep, SCHEDULABLE } from '../model/action.js';
import { DIAGNOSES, DIAGNOSIS_CAUSES, type Diagnosis, HEALTH_STATES } from '../model/health.js';
import { LINK_FAULTS } from '../model/link.js';
import type { ProbeState } from '../model/outcome.js';
import type { ProbeKind, ProbeRole } from '../model/probe.js';
import { isReason, type Reason } from '../model/reasons.js';
import type { ActionRecord } from './actions.js';
import { ACT_VERBS, type ActInFlight } from './acts.js';
import type { Budget } from './budget.js';
import { LIMITS } from './defaults.js';
import { type EditWar, newWar } from './edit-war.js';
import type { AttemptRecord, Episode, EpisodeRecord } from './episode.js';
import type { Ended, WantedBack } from './exits.js';
import type { Field } from './field.js';
import type { HoldRecord } from './people.js';
import type { ProbeRecord } from './probe-record.js';
import { CONCLUDED } from './rules.js';
import type { Scheduled } from './scheduled.js';
import { isProbeKind } from './signals.js';
import { newVmState, type PolicyVmState } from './vm-state.js';
import { type Facts, noFacts } from './vmm-facts.js';

const STATES: readonly ProbeState[] = ['unknown', 'ok', 'failed', 'blind'];
const ROLES: readonly ProbeRole[] = ['startup', 'liveness', 'readiness', 'check'];
const RESULTS: readonly ActionResult['result'][] = ['done', 'failed', 'impossible'];
const OUTCOMES: readonly Episode['outcome'][] = [
  'open',
  'recovered',
  'quarantined',
  'resolved-itself',
  'intended',
];
const HELD_BY = ['action-held', 'pre-start'] as const;
const QUARANTINES = ['budget-consecutive', 'budget-24h'] as const;
const WANTED: readonly WantedBack[] = ['ours', 'failure', 'clean', 'never'];
const MONITORS = ['connected', 'lost', 'busy', 'foreign'] as const;
const MAX_PROBES = 1_000;
const MAX_ATTEMPTS_A_DAY = 100_000;

/** One VM of stored state, every field checked. */
export function readVm(f: Field): PolicyVmState {
  const vm = newVmState(f.get('id').string(512), f.get('healthSinceMs').whole());
  vm.removedAtMs = f.get('removedAtMs').orNull(whole);
  vm.health = f.get('health').oneOf(HEALTH_STATES);
  vm.ready = f.get('ready').boolean();
  if (f.has('vmm')) vm.vmm = f.get('vmm').orNull((v) => v.string());
  vm.vmmStartedAtMs = f.get('vmmStartedAtMs').orNull(whole);
  vm.attachedAtMs = f.get('attachedAtMs').whole();
  vm.instanceAtMs = f.get('instanceAtMs').whole();
  vm.graceUntilMs = f.get('graceUntilMs').orNull(whole);
  vm.guestBoots = f.get('guestBoots').whole();
  for (const record of f.get('probes').list(readProbe, MAX_PROBES)) vm.probes.set(record.spec.name, record);
  vm.facts = readFacts(f.get('facts'));
  vm.ended = f.get('ended').orNull(readEnded);
  vm.episode = f.get('episode').orNull(readEpisode);
  vm.past = f.get('past').list(readEpisode, 10_000);
  vm.budget = readBudget(f.get('budget'));
  vm.quarantine = f.get('quarantine').orNull((q) => ({
    sinceMs: q.get('sinceMs').whole(),
    rule: q.get('rule').oneOf(QUARANTINES),
    text: q.get('text').string(),
  }));
  vm.hold = f.get('hold').orNull(readHold);
  vm.everRan = f.has('everRan') ? f.get('everRan').boolean() : vm.vmmStartedAtMs !== null;
  vm.interrupted = f.has('interrupted') && f.get('interrupted').boolean();
  if (f.has('forced')) vm.forced = f.get('forced').orNull((v) => v.string());
  if (f.has('war')) vm.war = f.get('war').orNull(readWar) ?? newWar();
  if (f.has('scheduled')) vm.scheduled = f.get('scheduled').orNull(readScheduled);
  if (f.has('act')) vm.act = f.get('act').orNull(readAct);
  if (f.has('off')) vm.off = f.get('off').orNull(readHold);
  if (f.has('maintenance')) vm.maintenance = f.get('maintenance').orNull(readHold);
  vm.actionHeld = f.get('actionHeld').orNull((h) => ({
    rule: h.has('rule') ? h.get('rule').oneOf(HELD_BY) : 'action-held',
    reason: h.get('reason').string(),
    untilMs: h.get('untilMs').whole(),
  }));
  vm.impossible = readImpossible(f.get('impossible'));
  vm.action = f.get('action').orNull((a) => readAction(a, vm.id));
  vm.seq = f.get('seq').whole();
  vm.asked = f.get('asked').whole();
  const told = f.get('told');
  vm.told = {
    hold: told.get('hold').string(),
    would: told.get('would').string(),
    escalated: told.get('escalated').list((e) => e.string(), LIMITS.attemptsKept),
    diagnosis: told.get('diagnosis').string(),
  };
  return vm;
}

const whole = (f: Field): number => f.whole();

export function readHold(f: Field): HoldRecord {
  return {
    reason: f.get('reason').string(),
    author: f.get('author').string(),
    sinceMs: f.get('sinceMs').whole(),
    untilMs: f.get('untilMs').orNull(whole),
  };
}

function readReason(f: Field): Reason {
  const text = f.string();
  return isReason(text) ? text : f.fail('not a reason');
}

function readKind(f: Field): ProbeKind {
  const text = f.string();
  return isProbeKind(text) ? text : f.fail('not a kind of probe');
}

function readProbe(f: Field): ProbeRecord {
  return {
    spec: {
      name: f.get('name').string(),
      role: f.get('role').oneOf(ROLES),
      kind: readKind(f.get('kind')),
      critical: f.get('critical').boolean(),
      startState: f.get('startState').oneOf(STATES),
    },
    state: f.get('state').oneOf(STATES),
    seen: f.get('seen').boolean(),
    reason: f.get('reason').orNull(readReason),
    sinceMs: f.get('sinceMs').whole(),
    streakStartMs: f.get('streakStartMs').whole(),
    lastOkMs: f.get('lastOkMs').whole(),
    count: f.get('count').whole(),
    latched: f.get('latched').boolean(),
    assumed: true,
  };
}

/** Facts that nobody stated are left out. */
function readFacts(f: Field): Facts {
  const none = noFacts();
  const time = (key: keyof Facts) => (f.has(key) ? f.get(key).orNull(whole) : null);
  const text = (key: keyof Facts) => (f.has(key) ? f.get(key).string() : '');
  return {
    panickedAtMs: time('panickedAtMs'),
    panicAction: text('panicAction'),
    crashLoadedAtMs: time('crashLoadedAtMs'),
    watchdogAtMs: time('watchdogAtMs'),
    watchdogAction: text('watchdogAction'),
    ioErrorAtMs: time('ioErrorAtMs'),
    ioErrorText: text('ioErrorText'),
    ioErrorNoSpace: f.has('ioErrorNoSpace') ? f.get('ioErrorNoSpace').boolean() : none.ioErrorNoSpace,
    oomKilledAtMs: time('oomKilledAtMs'),
    shutdownAtMs: time('shutdownAtMs'),
    shutdownGuest: f.has('shutdownGuest') ? f.get('shutdownGuest').boolean() : none.shutdownGuest,
    shutdownReason: text('shutdownReason'),
    powerdownAtMs: time('powerdownAtMs'),
    pausedAtMs: time('pausedAtMs'),
    pausedStatus: text('pausedStatus'),
    migratingAtMs: time('migratingAtMs'),
    processGoneAtMs: time('processGoneAtMs'),
    monitor: f.has('monitor') ? f.get('monitor').orNull((m) => m.oneOf(MONITORS)) : none.monitor,
    monitorAtMs: f.has('monitorAtMs') ? f.get('monitorAtMs').whole() : none.monitorAtMs,
    linkFault: f.has('linkFault') ? f.get('linkFault').orNull((l) => l.oneOf(LINK_FAULTS)) : none.linkFault,
    linkText: text('linkText'),
    linkAtMs: f.has('linkAtMs') ? f.get('linkAtMs').whole() : none.linkAtMs,
  };
}

function readDiagnosis(f: Field): Diagnosis {
  return {
    kind: f.get('kind').oneOf(DIAGNOSES),
    cause: f.get('cause').oneOf(DIAGNOSIS_CAUSES),
    evidence: f.get('evidence').list(
      (e) => ({
        atMs: e.get('atMs').whole(),
        source: e.get('source').string(),
        text: e.get('text').string(),
      }),
      LIMITS.evidenceKept,
    ),
  };
}

function readEnded(f: Field): Ended {
  const diagnosis = f.get('diagnosis');
  return {
    atMs: f.get('atMs').whole(),
    back: f.get('back').oneOf(WANTED),
    bySignal: f.get('bySignal').boolean(),
    diagnosis: { ...readDiagnosis(diagnosis), kind: diagnosis.get('kind').oneOf(CONCLUDED) },
  };
}

function readResult(f: Field): ActionResult {
  const result = f.get('result').oneOf(RESULTS);
  if (result === 'done') return { result };
  return { result, code: f.get('code').string(), message: f.get('message').string() };
}

function readAttempt(f: Field): AttemptRecord {
  return {
    actionId: f.get('actionId').string(),
    step: f.get('step').oneOf(LADDER_STEPS),
    cause: f.get('cause').oneOf(DIAGNOSIS_CAUSES),
    startedAtMs: f.get('startedAtMs').whole(),
    endedAtMs: f.get('endedAtMs').orNull(whole),
    result: f.get('result').orNull(readResult),
  };
}

function readEpisode(f: Field): EpisodeRecord {
  return {
    diagnosis: readDiagnosis(f.get('diagnosis')),
    startedAtMs: f.get('startedAtMs').whole(),
    diagnosedAtMs: f.get('diagnosedAtMs').whole(),
    attempts: f.get('attempts').list(readAttempt, LIMITS.attemptsKept),
    healedAtMs: f.get('healedAtMs').orNull(whole),
    closedAtMs: f.get('closedAtMs').orNull(whole),
    outcome: f.get('outcome').oneOf(OUTCOMES),
  };
}

function readBudget(f: Field): Budget {
  return {
    consecutive: f.get('consecutive').whole(),
    tries: f.get('tries').whole(),
    rolling: f.get('rolling').list(whole, MAX_ATTEMPTS_A_DAY),
    failures: f.get('failures').whole(),
    breakerUntilMs: f.get('breakerUntilMs').orNull(whole),
    lastEndedAtMs: f.get('lastEndedAtMs').whole(),
    judged: f.get('judged').boolean(),
  };
}

function readWar(f: Field): EditWar {
  return {
    tokens: f.get('tokens').number(),
    atMs: f.get('atMs').whole(),
    throttledUntilMs: f.get('throttledUntilMs').whole(),
    throttles: f.get('throttles').whole(),
    day: f.get('day').list(whole, LIMITS.editsADay),
    pausedAtMs: f.get('pausedAtMs').orNull(whole),
  };
}

function readAct(f: Field): ActInFlight {
  return {
    id: f.get('id').string(),
    verb: f.get('verb').oneOf(ACT_VERBS),
    author: f.get('author').string(),
    reason: f.get('reason').string(),
    sinceMs: f.get('sinceMs').whole(),
    untilMs: f.get('untilMs').whole(),
    // Whoever takes it up says so.
    running: true,
  };
}

function readScheduled(f: Field): Scheduled {
  return {
    step: f.get('step').oneOf(SCHEDULABLE),
    author: f.get('author').string(),
    reason: f.get('reason').string(),
    sinceMs: f.get('sinceMs').whole(),
  };
}

function readImpossible(f: Field): Partial<Record<LadderStep, number>> {
  const impossible: Partial<Record<LadderStep, number>> = {};
  for (const step of LADDER_STEPS) if (f.has(step)) impossible[step] = f.get(step).whole();
  return impossible;
}

function readAction(f: Field, vm: string): ActionRecord {
  const action = f.get('action');
  if (action.get('vm').string() !== vm) action.get('vm').fail('another VM');
  return {
    action: {
      id: action.get('id').string(),
      vm,
      step: action.get('step').oneOf(LADDER_STEPS),
      attempt: action.get('attempt').whole(),
      diagnosis: readDiagnosis(action.get('diagnosis')),
      timeoutMs: action.get('timeoutMs').whole(),
    },
    startedAtMs: f.get('startedAtMs').whole(),
    charged: f.get('charged').boolean(),
    // The daemon that carried it out is gone.
    unresolved: true,
    sawInstance: false,
    sawAttach: false,
    sawExit: false,
    overdueTold: false,
  };
}
