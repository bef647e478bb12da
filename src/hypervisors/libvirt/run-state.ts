import type { DomainState } from './rpc/libvirt.js';

const PAUSED = 3;

/** virDomainState in the words that all drivers use. */
const STATES: Readonly<Record<number, string>> = {
  1: 'running',
  2: 'running',
  3: 'paused',
  4: 'shutdown',
  5: 'shutdown',
  // The guest panicked, and was told to be kept.
  6: 'guest-panicked',
  7: 'suspended',
};

/** virDomainPausedReason. */
const PAUSED_WHY: Readonly<Record<number, string>> = {
  2: 'finish-migrate',
  3: 'save-vm',
  4: 'save-vm',
  5: 'io-error',
  6: 'watchdog',
  9: 'save-vm',
  10: 'guest-panicked',
  11: 'prelaunch',
  12: 'postmigrate',
};

/** Run state in the words that all drivers use; `unknown` for one that this version does not know. */
export function runState({ state, reason }: DomainState): string {
  const why = state === PAUSED ? PAUSED_WHY[reason] : undefined;
  return why ?? STATES[state] ?? 'unknown';
}
