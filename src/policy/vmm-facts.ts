import type { LinkFault } from '../model/link.js';
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
