import type { LadderStep } from '../model/action.js';
import type { DiagnosisCause, Evidence } from '../model/health.js';
import { endedByPerson } from './acts.js';
import { LIMITS } from './defaults.js';
import type { ConcludedKind } from './rules.js';
import { evidence, orderEvidence } from './text.js';
import type { Concluded } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';

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

/** Steps of ours in which the VMM may end without anybody else having a part in it. */
const ENDS_VMM: ReadonlySet<LadderStep> = new Set(['power-cycle', 'reboot', 'start']);

/** The run strategies under which a VM that failed is brought back. */
export function wantsAfterFailure(vm: PolicyVmState): boolean {
  const strategy = vm.spec?.runStrategy;
  return strategy === 'Always' || strategy === 'RerunOnFailure';
}

/** Whether the VM is to run again, by its run strategy of now. */
export function isWantedBack(vm: PolicyVmState, ended: Ended): boolean {
  switch (ended.back) {
    case 'ours':
      return true;
    case 'failure':
      return wantsAfterFailure(vm);
    case 'clean':
      return vm.spec?.runStrategy === 'Always';
    case 'never':
      return false;
  }
}

/** The VMM ended: what its last words, and what we were doing, say about why. */
export function interpretExit(vm: PolicyVmState, atMs: number): Ended {
  const { facts } = vm;
  const words = lastWords(vm, atMs);
  const bySignal = facts.shutdownReason === 'host-signal';
  const build = (kind: ConcludedKind, cause: DiagnosisCause, back: WantedBack): Ended => ({
    atMs,
    back,
    bySignal,
    diagnosis: { kind, cause, evidence: words },
  });
  const byPerson = endedByPerson(vm, atMs, words);
  if (byPerson) return byPerson;
  if (vm.action && !vm.action.unresolved && ENDS_VMM.has(vm.action.action.step)) {
    return build('vmm-dead', 'process-gone', 'ours');
  }
  // The VMM may say more of its error: `host-error: …`.
  const said = facts.shutdownAtMs !== null && !facts.shutdownReason.startsWith('host-error');
  if (said && !facts.shutdownGuest) return build('intended', 'operator-stop', 'never');
  if (facts.watchdogAtMs !== null) return build('vmm-dead', 'watchdog-expired', 'failure');
  if (facts.panickedAtMs !== null || facts.shutdownReason === 'guest-panic') {
    return build('vmm-dead', 'guest-panicked', 'failure');
  }
  if (!said) {
    const { oomKilledAtMs } = facts;
    const isOom = oomKilledAtMs !== null && atMs - oomKilledAtMs <= LIMITS.oomMs;
    return isOom
      ? build('host-memory', 'out-of-memory', 'failure')
      : build('vmm-dead', 'process-gone', 'failure');
  }
  const pressedAtMs = facts.powerdownAtMs;
  if (pressedAtMs !== null && atMs - pressedAtMs <= LIMITS.powerdownMs) {
    return build('intended', 'operator-stop', 'never');
  }
  // A guest that reboots under a VMM told not to (-no-reboot) wants to come back.
  const reboots = facts.shutdownReason === 'guest-reset';
  return build('intended', 'guest-shutdown', reboots ? 'failure' : 'clean');
}

function lastWords(vm: PolicyVmState, atMs: number): readonly Evidence[] {
  const { facts } = vm;
  const list: Evidence[] = [];
  if (facts.panickedAtMs !== null) list.push(evidence(facts.panickedAtMs, 'vmm-event', 'the guest panicked'));
  if (facts.watchdogAtMs !== null) {
    const text = `the watchdog of the guest expired (action ${facts.watchdogAction})`;
    list.push(evidence(facts.watchdogAtMs, 'vmm-event', text));
  }
  if (facts.powerdownAtMs !== null) {
    list.push(evidence(facts.powerdownAtMs, 'vmm-event', 'somebody pressed the power button from outside'));
  }
  if (facts.shutdownAtMs !== null) {
    const who = facts.shutdownGuest ? 'by the guest' : 'from outside';
    list.push(evidence(facts.shutdownAtMs, 'vmm-event', `shut down ${who} (${facts.shutdownReason})`));
  }
  if (facts.oomKilledAtMs !== null) {
    list.push(evidence(facts.oomKilledAtMs, 'host', 'the kernel ended processes for want of memory'));
  }
  const said = facts.shutdownAtMs === null ? ' without a shutdown' : '';
  list.push(evidence(atMs, 'process', `the VMM process ended${said}`));
  return orderEvidence(list);
}

/** It ended while no daemon watched. What was heard before counts; without that nobody knows whether it failed. */
export function interpretUnseen(vm: PolicyVmState, now: number): Ended {
  const { panickedAtMs, watchdogAtMs, shutdownAtMs } = vm.facts;
  const isKnown = panickedAtMs !== null || watchdogAtMs !== null || shutdownAtMs !== null;
  if (isKnown) return interpretExit(vm, now);
  return endedUnseen(now, 'never', 'the VMM ended while no daemon watched it');
}

/** Not running when looked at, and nobody saw it end. */
export function endedUnseen(atMs: number, back: WantedBack, text: string): Ended {
  return {
    atMs,
    back,
    bySignal: false,
    diagnosis: { kind: 'vmm-dead', cause: 'process-gone', evidence: [evidence(atMs, 'process', text)] },
  };
}
