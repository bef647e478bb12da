import type { VmId } from '../model/vm.js';
import type { HoldRecord } from './vm-state.js';

/** A VM's place in a queue; stale once the VM's own ticket differs. */
export interface Ticket {
  readonly vm: VmId;
  readonly ticket: number;
}

export interface Wake {
  readonly atMs: number;
  readonly vm: VmId;
}

/** What all VMs of the host share. */
export interface HostState {
  /** A person's hold on all recovery. */
  hold: HoldRecord | null;
  journalAvailable: boolean;
  /** The journal failed; stays until a person resumes. */
  journalHold: boolean;
  /** VMs with an action in flight or a slot reserved. */
  busy: Set<VmId>;
  /** Times of the boots of the last minute, oldest first. */
  boots: number[];
  /** Waiting for a slot, in order: steps that boot a guest, and milder ones. */
  bootQueue: Ticket[];
  mildQueue: Ticket[];
  lastTicket: number;
  /** Binary heap by time; an entry counts only if it is the VM's present wake. */
  wakes: Wake[];
}

export function newHostState(): HostState {
  return {
    hold: null,
    journalAvailable: true,
    journalHold: false,
    busy: new Set(),
    boots: [],
    bootQueue: [],
    mildQueue: [],
    lastTicket: 0,
    wakes: [],
  };
}
