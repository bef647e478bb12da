import type { LadderStep } from '../model/action.js';
import type { HealthState } from '../model/health.js';
import type { VmId } from '../model/vm.js';
import type { ActionRecord } from './actions.js';
import { type Activity, noActivity } from './activity.js';
import type { ActInFlight } from './acts.js';
import type { Blocker } from './blockers.js';
import { type Budget, newBudget } from './budget.js';
import type { ConfirmRecord } from './confirm.js';
import { type EditWar, newWar } from './edit-war.js';
import type { EpisodeRecord } from './episode.js';
import type { Ended } from './exits.js';
import type { Line } from './host-state.js';
import type { HoldRecord } from './people.js';
import type { ProbeRecord } from './probe-record.js';
import type { Scheduled } from './scheduled.js';
import type { PolicyVm } from './types.js';
import type { Verdict } from './verdict.js';
import { type Facts, noFacts } from './vmm-facts.js';

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
