import type { TargetCheck } from '../engine/probe-engine.js';
import type { FailureReason, InconclusiveReason } from '../model/reasons.js';
import { fractionOf } from './random.js';
import type { Seen } from './sim-target.js';
import type { SimVm } from './sim-vm.js';

const ANSWER_MS = 2;
const OK: Seen = { outcome: { result: 'ok' }, durationMs: ANSWER_MS, varies: false };

function failed(reason: FailureReason, durationMs: number): Seen {
  return { outcome: { result: 'failed', reason }, durationMs, varies: false };
}

function unseen(reason: InconclusiveReason): Seen {
  return { outcome: { result: 'inconclusive', reason }, durationMs: ANSWER_MS, varies: false };
}

/** What a probe of this kind finds, given what is really the case. `key` names the probe to the dice of packet loss. */
export function see(vm: SimVm, check: TargetCheck, timeoutMs: number, key: number): Seen {
  const { hindered } = vm.host;
  if (hindered === 'prober-late') return unseen(hindered);
  switch (check.kind) {
    case 'vmmProcess':
      return seeProcess(vm, check.pid);
    case 'vmState':
      return seeMonitor(vm, timeoutMs);
    case 'guestAgentPing':
      return vm.runs && vm.guest === 'up' && vm.agent === 'ok' && !vm.stalled
        ? OK
        : failed('agent-not-connected', timeoutMs);
    default:
      return hindered === null ? seeService(vm, timeoutMs, key) : unseen(hindered);
  }
}

function seeProcess(vm: SimVm, pid: number): Seen {
  if (vm.vmm?.process.pid !== pid) return failed('process-gone', 0);
  return vm.stopped ? failed('process-stopped', 0) : OK;
}

function seeMonitor(vm: SimVm, timeoutMs: number): Seen {
  if (vm.monitor === 'held') return unseen('channel-busy');
  if (vm.vmm === null || vm.stopped || vm.monitor === 'wedged') return failed('api-unreachable', timeoutMs);
  if (vm.guest === 'panicked') return failed('guest-panicked', ANSWER_MS);
  if (vm.paused === 'disk') return failed('io-error', ANSWER_MS);
  return vm.paused === null ? OK : failed('vm-not-running', ANSWER_MS);
}

function seeService(vm: SimVm, timeoutMs: number, key: number): Seen {
  if (vm.link === 'down' || !vm.networkUp) return failed('host-unreachable', timeoutMs);
  if (!vm.runs || vm.guest !== 'up') return failed('connect-timeout', timeoutMs);
  const arrived = seeArrived(vm, timeoutMs);
  if (vm.loss === 0) return arrived;
  const lost = fractionOf(key, vm.world.timeline.nowMs) < vm.loss;
  return { ...(lost ? failed('connect-timeout', timeoutMs) : arrived), varies: true };
}

function seeArrived(vm: SimVm, timeoutMs: number): Seen {
  if (vm.stalled) return failed('response-timeout', timeoutMs);
  switch (vm.service) {
    case 'crashed':
      return failed('connection-refused', ANSWER_MS);
    case 'slow':
      return failed('response-timeout', timeoutMs);
    case 'ok':
      return OK;
  }
}

/** The run state in the hypervisor's words. */
export function statusOf(vm: SimVm): string {
  if (vm.guest === 'panicked') return 'guest-panicked';
  if (vm.paused === null) return 'running';
  return vm.paused === 'disk' ? 'io-error' : 'paused';
}
