import type { VmId } from '../model/vm.js';
import type { HoldRecord } from './people.js';

/** A VM's place in a queue; stale once the VM's own ticket differs. */
export interface Ticket {
  readonly vm: VmId;
  readonly ticket: number;
  /** Among start-ups the higher comes first. */
  readonly priority: number;
}

/** Which line a VM stands in: milder steps, steps that boot a guest, start-ups. */
export type Line = 'mild' | 'boot' | 'start';

export interface Wake {
  readonly atMs: number;
  readonly vm: VmId;
}

/** Too large a part of the fleet fails at once: nothing is done to any of it. */
export interface Brake {
  sinceMs: number;
  /** The share has been below the limit since then; null: it is not. */
  calmSinceMs: number | null;
  /** People were told that it holds for long. */
  told: boolean;
}

/** Many VMs that share something failed within one window: one incident, not many failures. */
export interface Incident {
  /** What they share, for example `bridge br0`, or `host`. */
  cause: string;
  sinceMs: number;
  /** Fewer fail than would begin an incident since then; null: as many as that do. */
  calmSinceMs: number | null;
  /** A single VM fails since then: what is left is no shared cause. Null: none does, or several do. */
  aloneSinceMs: number | null;
}

/** A VM began to fail, and has not stopped. */
export interface Failure {
  readonly atMs: number;
  readonly shares: readonly string[];
}

/** The VMs that share one thing. */
export interface Group {
  counted: number;
  failing: number;
  /** How many began to fail within the window and still do. */
  recent: number;
}

/** What the runtime sees of the host itself; null: nothing to tell, otherwise what was seen, for a person. */
export interface HostSigns {
  /** A shutdown of the host has begun. */
  readonly shutdown: string | null;
  /** Processes wait for the processor, memory or disks: boots are spread further. */
  readonly pressure: string | null;
  /** There is hardly any memory left: no VMM is started. */
  readonly memory: string | null;
}

/** What all VMs of the host share. */
export interface HostState {
  /** A person's hold on all recovery. */
  hold: HoldRecord | null;
  journalAvailable: boolean;
  /** The journal failed or was lost, and how; stays until a person resumes. */
  journalHold: string | null;
  /** VMs with an action in flight or a slot reserved. */
  busy: Set<VmId>;
  /** Times of the boots of the last minute, oldest first. */
  boots: number[];
  /** What was begun under other limits, maybe wider ones: so many slots, and the boots up to then. */
  former: { slots: number; bootsUntilMs: number };
  /** Waiting for a slot: milder steps and boots in order, start-ups by priority. */
  queues: Record<Line, Ticket[]>;
  lastTicket: number;
  /** Binary heap by time; an entry counts only if it is the VM's present wake. */
  wakes: Wake[];
  /** How many VMs are expected to run and have conclusive results. */
  counted: number;
  /** Those of them that fail or are being recovered. */
  failing: Set<VmId>;
  brake: Brake | null;
  /** A person released the brake; it engages again only after the share was below the limit. */
  brakeReleased: boolean;
  /** By what is shared. */
  groups: Map<string, Group>;
  /** VMs that began to fail within the window of a shared cause and still do, oldest first. */
  recent: Map<VmId, Failure>;
  incident: Incident | null;
  /** It was declared or widened in this step. */
  incidentChanged: boolean;
  signs: HostSigns;
  /** The VMs are being looked at for the first time; start-ups wait until their order is known. */
  gathering: boolean;
}

/** Stale entries of queues and heap are swept when there are more than this. */
export function maxEntries(state: { readonly vms: ReadonlyMap<VmId, unknown> }): number {
  return 2 * state.vms.size + 64;
}

export function newHostState(): HostState {
  return {
    hold: null,
    journalAvailable: true,
    journalHold: null,
    busy: new Set(),
    boots: [],
    former: { slots: 0, bootsUntilMs: 0 },
    queues: { mild: [], boot: [], start: [] },
    lastTicket: 0,
    wakes: [],
    counted: 0,
    failing: new Set(),
    brake: null,
    brakeReleased: false,
    groups: new Map(),
    recent: new Map(),
    incident: null,
    incidentChanged: false,
    signs: { shutdown: null, pressure: null, memory: null },
    gathering: false,
  };
}
