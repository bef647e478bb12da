import type { VmmEvent } from '../model/ports.js';
import { isStoppedOnPurpose } from '../model/run-state.js';
import { type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { interpretExit } from './exits.js';
import { beginInstance, vmmEnded } from './instance.js';
import { apiProbe, isGuestPath, pathOf } from './signals.js';
import { bounded } from './text.js';
import type { PolicyEvent } from './types.js';
import type { PolicyVmState } from './vm-state.js';

type ProbeEvent = Extract<PolicyEvent, { type: 'probe' }>;

/** A probe's thresholds changed its state. */
export function noteProbe(ctx: StepContext, vm: PolicyVmState, event: ProbeEvent): void {
  const record = vm.probes.get(event.probe);
  if (!record) return;
  record.state = event.state;
  record.seen = true;
  record.assumed = false;
  record.reason = event.reason ?? null;
  record.sinceMs = event.atMs;
  record.streakStartMs = event.streakStartMs;
  record.lastOkMs = event.lastOkMs;
  record.count = event.count;
  // Something changed, so a fresh look that could settle nothing may be worth another try.
  vm.confirmRetryAtMs = Math.min(vm.confirmRetryAtMs, ctx.now + LIMITS.confirmGapMs);
  if (event.state === 'ok' && (isGuestPath(record) || pathOf(record) === 'api')) vm.wedgedSinceMs = null;
  if (pathOf(record) === 'process') noteProcess(vm, event);
  if (pathOf(record) === 'api') noteApi(vm, event);
}

function noteProcess(vm: PolicyVmState, event: ProbeEvent): void {
  // A look that could not be made unsees nothing.
  if (event.state === 'blind') return;
  const gone = event.state === 'failed' && event.reason === 'process-gone';
  vm.facts.processGoneAtMs = gone ? event.atMs : null;
}

function noteApi(vm: PolicyVmState, event: ProbeEvent): void {
  const { facts } = vm;
  if (event.state === 'ok') {
    facts.ioErrorAtMs = null;
    return;
  }
  if (event.state !== 'failed') return;
  if (event.reason === 'guest-panicked') notePanic(vm, event.atMs, 'unknown');
  if (event.reason === 'io-error') {
    facts.ioErrorAtMs = event.atMs;
    facts.ioErrorText = 'the VMM reports the status io-error';
  }
}

function notePanic(vm: PolicyVmState, atMs: number, action: string): void {
  if (vm.facts.panickedAtMs !== null) return;
  vm.facts.panickedAtMs = atMs;
  vm.facts.panicAction = action;
  vm.graceUntilMs = null;
}

/** The VMM, or the guest through it, reported something. */
export function noteVmmEvent(ctx: StepContext, vm: PolicyVmState, event: VmmEvent, atMs: number): void {
  const { facts } = vm;
  // A VMM that has ended has nothing more to say than why.
  if (vm.running === false && event.type !== 'shutdown') return;
  switch (event.type) {
    case 'exited':
      vmmEnded(vm, atMs);
      return;
    case 'oom-killed':
      facts.oomKilledAtMs = atMs;
      return;
    case 'panicked':
      notePanic(vm, atMs, event.action);
      return;
    case 'crash-loaded':
      facts.crashLoadedAtMs = atMs;
      return;
    case 'watchdog':
      facts.watchdogAtMs ??= atMs;
      facts.watchdogAction = bounded(event.action);
      vm.graceUntilMs = null;
      return;
    case 'reset':
      noteReset(ctx, vm, event.guest, atMs);
      return;
    case 'shutdown':
      facts.shutdownAtMs = atMs;
      facts.shutdownGuest = event.guest;
      facts.shutdownReason = bounded(event.reason);
      // Words that come after the end still say why, as long as nothing has been done about it.
      if (vm.ended && !vm.action && vm.ended.atMs >= atMs - LIMITS.lastWordsMs) {
        vm.ended = interpretExit(vm, vm.ended.atMs);
      }
      return;
    case 'powerdown':
      // Ours while a reboot is in flight; otherwise somebody asks the guest to stop.
      if (vm.action?.action.step !== 'reboot') facts.powerdownAtMs = atMs;
      return;
    case 'paused':
      facts.pausedAtMs = atMs;
      return;
    case 'run-state':
      noteStatus(ctx, vm, event.status, false);
      return;
    case 'migration':
      facts.migratingAtMs = event.active ? (facts.migratingAtMs ?? atMs) : null;
      return;
    case 'resumed':
      facts.pausedAtMs = null;
      facts.pausedStatus = '';
      facts.ioErrorAtMs = null;
      // Whoever resumed a VM that its watchdog had paused has taken over; its probes say the rest.
      facts.watchdogAtMs = null;
      return;
    case 'io-error':
      facts.ioErrorAtMs = atMs;
      facts.ioErrorNoSpace = event.noSpace;
      facts.ioErrorText = `I/O error on ${bounded(event.device)}${event.noSpace ? ': no space left' : ''}`;
      return;
    case 'link':
      facts.linkFault = event.fault;
      facts.linkText = bounded(event.text);
      facts.linkAtMs = atMs;
      // What was concluded of the former state of it does not hold any more.
      vm.confirmRetryAtMs = Math.min(vm.confirmRetryAtMs, ctx.now);
      return;
    case 'monitor':
      facts.monitor = event.state;
      facts.monitorAtMs = atMs;
      // Words may have been missed meanwhile: the run state is asked anew by vmState.
      if (event.state === 'connected' && apiProbe(vm)) facts.pausedAtMs = null;
      return;
  }
}

function noteReset(ctx: StepContext, vm: PolicyVmState, byGuest: boolean, atMs: number): void {
  const ours = vm.action !== null && !vm.action.unresolved;
  vm.guestBoots = byGuest && !ours ? vm.guestBoots + 1 : 0;
  beginInstance(ctx, vm, atMs, { graceMs: vm.spec?.recovery.graceMs ?? 0, tellEngine: true, newVmm: false });
}

/** The run state that the hypervisor named when the VMM was attached. */
export function noteStatus(ctx: StepContext, vm: PolicyVmState, status: string, fresh: boolean): void {
  const { facts } = vm;
  switch (status) {
    case 'running':
      facts.pausedAtMs = null;
      facts.pausedStatus = '';
      facts.ioErrorAtMs = null;
      // What was said before somebody looked away may be over; the probes tell whether it is.
      facts.panickedAtMs = null;
      facts.crashLoadedAtMs = null;
      facts.watchdogAtMs = null;
      return;
    case 'guest-panicked':
    case 'internal-error':
      notePanic(vm, ctx.now, status);
      return;
    case 'watchdog':
      facts.watchdogAtMs ??= ctx.now;
      facts.watchdogAction ||= 'pause';
      vm.graceUntilMs = null;
      return;
    case 'io-error':
      facts.ioErrorAtMs = ctx.now;
      facts.ioErrorText = 'the VMM reports the status io-error';
      facts.pausedAtMs ??= ctx.now;
      return;
    default:
      if (!isStoppedOnPurpose(status) || fresh) return;
      facts.pausedAtMs ??= ctx.now;
      facts.pausedStatus = status;
  }
}

/** The process watch said that the VMM is gone, and its last words did not come. */
export function lastWordsOver(ctx: StepContext, vm: PolicyVmState): boolean {
  const goneAtMs = vm.facts.processGoneAtMs;
  if (vm.running !== true || goneAtMs === null || ctx.now < goneAtMs + LIMITS.lastWordsMs) return false;
  vm.facts.processGoneAtMs = null;
  say(ctx, {
    vm,
    kind: 'note',
    rule: 'health',
    text: 'the VMM process is gone and its last words did not come in time',
  });
  vmmEnded(vm, goneAtMs);
  return true;
}
