import type { LadderStep, RecoveryAction } from '../model/action.js';
import type { Diagnosis, HealthState } from '../model/health.js';
import type { LinkFault } from '../model/link.js';
import type { ProbeState } from '../model/outcome.js';
import type { Reason } from '../model/reasons.js';
import type { VmId } from '../model/vm.js';
import { type Activity, noActivity } from './activity.js';
import type { ActInFlight } from './acts.js';
import { type EditWar, newWar } from './edit-war.js';
import type { Line } from './host-state.js';
import type { ConcludedKind, Rule } from './rules.js';
import type { Scheduled } from './scheduled.js';
import type { Episode, PolicyProbe, PolicyVm } from './types.js';

/** A probe as the policy knows it in the present instance of the VM. */
export interface ProbeRecord {
  spec: PolicyProbe;
  /** What the engine said last in this instance; the start state before. */
  state: ProbeState;
  /** Something was said in this instance; false: `state` is only the start state. */
  seen: boolean;
  reason: Reason | null;
  /** Last change of state, 0: none in this instance. */
  sinceMs: number;
  streakStartMs: number;
  lastOkMs: number;
  count: number;
  /** A liveness probe that failed holds until a new instance or until a ladder step completes. */
  latched: boolean;
  /** Known from a former daemon, or of a former check, only; the engine has not said it of this one. */
  assumed: boolean;
}

/** What the VMM said of the present instance. Cleared by a new one. */
export interface Facts {
  panickedAtMs: number | null;
  panicAction: string;
  /** The crash kernel runs and saves the dump. */
  crashLoadedAtMs: number | null;
  watchdogAtMs: number | null;
  watchdogAction: string;
  ioErrorAtMs: number | null;
  ioErrorText: string;
  ioErrorNoSpace: boolean;
  oomKilledAtMs: number | null;
  shutdownAtMs: number | null;
  shutdownGuest: boolean;
  shutdownReason: string;
  /** Somebody other than us pressed the power button. */
  powerdownAtMs: number | null;
  pausedAtMs: number | null;
  /** Run state of a VM that is paused, as the VMM names it; empty: not known. */
  pausedStatus: string;
  /** It is being moved or saved while it runs, since then. */
  migratingAtMs: number | null;
  /** The process watch says that the VMM is gone; `exited` follows with its last words. */
  processGoneAtMs: number | null;
  monitor: 'connected' | 'lost' | 'busy' | 'foreign' | null;
  monitorAtMs: number;
  /** What is wrong with the host's side of its network, since then; null: nothing. */
  linkFault: LinkFault | null;
  linkText: string;
  linkAtMs: number;
}

/** A diagnosis of a kind that is concluded today. */
export interface Concluded extends Diagnosis {
  readonly kind: ConcludedKind;
}

/** Who wants the VM back after such an end: we ended it, or a run strategy does after a failure or a clean end. */
export type WantedBack = 'ours' | 'failure' | 'clean' | 'never';

/** The VMM ended, and what that means. */
export interface Ended {
  atMs: number;
  back: WantedBack;
  /** By SIGTERM, which a host that shuts down sends as well. */
  bySignal: boolean;
  diagnosis: Concluded;
}

/** The action in flight. */
export interface ActionRecord {
  action: RecoveryAction;
  startedAtMs: number;
  /** False for the start of a VM that simply was not running yet. */
  charged: boolean;
  /** A daemon died with it in flight; looking tells what became of it. */
  unresolved: boolean;
  /** The guest began a new boot since the action began. */
  sawInstance: boolean;
  sawAttach: boolean;
  /** The VMM ended during the action, after the last attachment. */
  sawExit: boolean;
  overdueTold: boolean;
}

export type ConfirmPurpose = 'diagnose' | 'verify';

export interface ConfirmRecord {
  id: string;
  purpose: ConfirmPurpose;
  askedAtMs: number;
  deadlineMs: number;
}

/** What the failure means, and how sure that is. */
export interface Verdict {
  diagnosis: Concluded;
  /** From a dead process, a panic or a watchdog; anything else is inferred and must be fresh to act on. */
  conclusive: boolean;
  /** `alert`: people are told and nothing is done; `wait`: not for long enough yet. */
  remedy: 'ladder' | 'alert' | 'wait';
  /** When a fresh look, or the event, said so. */
  atMs: number;
}

export interface HoldRecord {
  reason: string;
  author: string;
  sinceMs: number;
  untilMs: number | null;
}

/** A rule that keeps an action from being carried out now. */
export interface Blocker {
  rule: Rule;
  text: string;
  untilMs: number | null;
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An episode while it is being written. */
export type EpisodeRecord = Mutable<Omit<Episode, 'attempts'>> & { attempts: AttemptRecord[] };

export type AttemptRecord = Mutable<Episode['attempts'][number]>;

export interface Budget {
  /** Attempts charged since the VM was last stable. */
  consecutive: number;
  /** Attempts since the VM was last stable, charged or not: the n of the back-off. */
  tries: number;
  /** Times of the charged attempts of the last 24 hours, oldest first. */
  rolling: number[];
  /** Recoveries that did not help, since the last that did. */
  failures: number;
  breakerUntilMs: number | null;
  /** When the last attempt ended: the back-off counts from here. */
  lastEndedAtMs: number;
  /** The last attempt has been counted as failed already. */
  judged: boolean;
}

/** Everything the policy knows of one VM. Plain data; step() owns and changes it. */
export interface PolicyVmState {
  readonly id: VmId;
  /** Null: not configured in this daemon (restored, or removed); nothing is done to it. */
  spec: PolicyVm | null;
  removedAtMs: number | null;
  health: HealthState;
  healthSinceMs: number;
  /** Whether it would stand in the list of endpoints; kept while nothing can be said. */
  ready: boolean;
  /** Null: nobody has looked yet. */
  running: boolean | null;
  /** Names the VMM of the last attachment. */
  vmm: string | null;
  /** Its start. */
  vmmStartedAtMs: number | null;
  attachedAtMs: number;
  /** Start of the present boot, 0: unknown. */
  instanceAtMs: number;
  graceUntilMs: number | null;
  /** Boots by the guest itself since health was last back. */
  guestBoots: number;
  /** A VMM of it was seen, or started, at any time. */
  everRan: boolean;
  /** It ran when its host went down. */
  interrupted: boolean;
  probes: Map<string, ProbeRecord>;
  facts: Facts;
  ended: Ended | null;
  /** Not running when first looked at, and its run strategy wants it: start-up, not failure. */
  startupPending: boolean;
  suspended: boolean;
  activity: Activity;
  verdict: Verdict | null;
  /** What was suspected when the verdict was made; another suspicion asks again. */
  verdictFor: string;
  confirm: ConfirmRecord | null;
  confirmRetryAtMs: number;
  /** The next fresh look is planned for then. */
  lookAtMs: number | null;
  confirmTries: number;
  /** What the last fresh look could not settle. */
  doubt: { rule: 'observer' | 'unconfirmed'; text: string } | null;
  verifyRetryAtMs: number;
  verifyTries: number;
  /** Adopted or re-adopted: what its probes would say is asked once, for start states say nothing. */
  verifyAll: boolean;
  /** API silent and every guest path dead, confirmed first then. */
  wedgedSinceMs: number | null;
  episode: EpisodeRecord | null;
  /** Oldest first. */
  past: EpisodeRecord[];
  budget: Budget;
  quarantine: { sinceMs: number; rule: 'budget-consecutive' | 'budget-24h'; text: string } | null;
  /** The last value of the annotation that forces a reconciliation; null: it never had one. */
  forced: string | null;
  /** How often others undid what we did. */
  war: EditWar;
  hold: HoldRecord | null;
  /** A person works on the VM: nothing is done to it, whatever it looks like. */
  maintenance: HoldRecord | null;
  /** What a person has done to it right now, through us. */
  act: ActInFlight | null;
  /** A person had it stopped, and nobody has started it since. */
  off: HoldRecord | null;
  /** Maintenance that waits for its window, or for the VM to be well. */
  scheduled: Scheduled | null;
  /** The runtime held the last action. */
  actionHeld: { rule: 'action-held' | 'pre-start'; reason: string; untilMs: number } | null;
  impossible: Partial<Record<LadderStep, number>>;
  action: ActionRecord | null;
  /** Actions so far; never goes back, so that no id is used twice. */
  seq: number;
  /** Fresh looks so far. */
  asked: number;
  /** Last thing told, so that each is told once. */
  told: { hold: string; would: string; escalated: string[]; diagnosis: string };
  blockers: Blocker[];
  next: { step: LadderStep; atMs: number | null; text: string } | null;
  /** Place in a queue of the host, 0: none. */
  ticket: number;
  line: Line;
  /** How it counts for the fleet: not at all, as one that is expected to run, as one of those that fails. */
  fleet: 'none' | 'counted' | 'failing';
  failingSinceMs: number | null;
  /** What it shares with other VMs beside the host, narrowest first. */
  shares: readonly string[];
  /** Holds a slot of the host while a fresh look is under way. */
  reserved: boolean;
  wakeAtMs: number | null;
  /** This VM as stored text, null once it was looked at again. */
  stored: string | null;
}

export function noFacts(): Facts {
  return {
    panickedAtMs: null,
    panicAction: '',
    crashLoadedAtMs: null,
    watchdogAtMs: null,
    watchdogAction: '',
    ioErrorAtMs: null,
    ioErrorText: '',
    ioErrorNoSpace: false,
    oomKilledAtMs: null,
    shutdownAtMs: null,
    shutdownGuest: false,
    shutdownReason: '',
    powerdownAtMs: null,
    pausedAtMs: null,
    pausedStatus: '',
    migratingAtMs: null,
    processGoneAtMs: null,
    monitor: null,
    monitorAtMs: 0,
    linkFault: null,
    linkText: '',
    linkAtMs: 0,
  };
}

export function newProbeRecord(spec: PolicyProbe): ProbeRecord {
  return {
    spec,
    state: spec.startState,
    seen: false,
    reason: null,
    sinceMs: 0,
    streakStartMs: 0,
    lastOkMs: 0,
    count: 0,
    latched: false,
    assumed: false,
  };
}

export function newBudget(): Budget {
  return {
    consecutive: 0,
    tries: 0,
    rolling: [],
    failures: 0,
    breakerUntilMs: null,
    lastEndedAtMs: 0,
    judged: true,
  };
}

export function newVmState(id: VmId, now: number): PolicyVmState {
  return {
    id,
    spec: null,
    removedAtMs: null,
    health: 'unknown',
    healthSinceMs: now,
    ready: false,
    running: null,
    vmm: null,
    vmmStartedAtMs: null,
    attachedAtMs: 0,
    instanceAtMs: 0,
    graceUntilMs: null,
    guestBoots: 0,
    everRan: false,
    interrupted: false,
    probes: new Map(),
    facts: noFacts(),
    ended: null,
    startupPending: false,
    suspended: false,
    activity: noActivity(false),
    verdict: null,
    verdictFor: '',
    confirm: null,
    confirmRetryAtMs: 0,
    lookAtMs: null,
    confirmTries: 0,
    doubt: null,
    verifyRetryAtMs: 0,
    verifyTries: 0,
    verifyAll: false,
    wedgedSinceMs: null,
    episode: null,
    past: [],
    budget: newBudget(),
    quarantine: null,
    forced: null,
    war: newWar(),
    hold: null,
    maintenance: null,
    act: null,
    off: null,
    scheduled: null,
    actionHeld: null,
    impossible: {},
    action: null,
    seq: 0,
    asked: 0,
    told: { hold: '', would: '', escalated: [], diagnosis: '' },
    blockers: [],
    next: null,
    ticket: 0,
    line: 'mild',
    fleet: 'none',
    failingSinceMs: null,
    shares: [],
    reserved: false,
    wakeAtMs: null,
    stored: null,
  };
}
