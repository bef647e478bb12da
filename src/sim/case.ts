import type { LadderStep } from '../model/action.js';
import type { SimVm } from './sim-vm.js';

/** What the truth asks for: an action on the VM, that people are told, or nothing. */
export type Need = 'act' | 'tell' | 'nothing';

/** What a fault means for one VM. */
export interface CaseSpec {
  readonly kind: string;
  readonly vm: SimVm;
  readonly need: Need;
  /** What is needed must have begun this long after the fault, ms. */
  readonly boundMs: number;
  /** Steps that do no harm while it lasts. */
  readonly permits: readonly LadderStep[];
  /** It is over, in truth. Asked whenever something about the VM has changed. */
  readonly isOver: () => boolean;
  /** One action is all that can be asked for. */
  readonly once?: boolean;
  /** A start-up, or what a person wanted: no failure, so no budget pays for what answers it. */
  readonly isNoFailure?: boolean;
  /** Steps do no harm at that moment (wall clock of the host); unset: at any. */
  readonly permitsAt?: (wallMs: number) => boolean;
}

/** A fault that one VM suffers from, and what was done about it. */
export interface Case extends CaseSpec {
  readonly atMs: number;
  endedAtMs: number | null;
  toldAtMs: number | null;
  acts: number;
  firstActAtMs: number | null;
  lastActAtMs: number;
  missed: boolean;
  /** How long the slots of the host had all been taken before. */
  readonly queuedMs: number;
  /** By how much the clock of the host had been set back before, and gone on since. */
  readonly setBackMs: number;
}
