import fc from 'fast-check';
import type { ProbeState } from '../../../src/model/outcome.js';
import type { VmmEvent } from '../../../src/model/ports.js';
import type { Reason } from '../../../src/model/reasons.js';
import { DEFAULT_POLICY_CONFIG } from '../../../src/policy/index.js';
import { type Fresh, NO_BRAKE, PROBES, policyVm, Stage } from './stage.js';

export const VMS = ['test/a', 'test/b', 'test/c'];
export const NAMES = PROBES.map((p) => p.name);
export const CONFIG = {
  ...DEFAULT_POLICY_CONFIG,
  ...NO_BRAKE,
  maxConcurrentRecoveries: 2,
  maxBootsPerMinute: 3,
};

/** One thing that may happen. Plain data, so that a failing sequence can be read. */
export type Move =
  | { readonly move: 'wait'; readonly ms: number }
  | {
      readonly move: 'probe';
      readonly vm: string;
      readonly name: string;
      readonly state: ProbeState;
      readonly reason: Reason;
    }
  | { readonly move: 'vmm'; readonly vm: string; readonly event: VmmEvent }
  | { readonly move: 'answer'; readonly fresh: Fresh }
  | {
      readonly move: 'end';
      readonly vm: string;
      readonly how: 'done' | 'failed' | 'impossible' | 'held' | 'unknown';
    }
  | { readonly move: 'attach'; readonly vm: string; readonly same: boolean; readonly status: string }
  | { readonly move: 'all-ok'; readonly vm: string }
  | { readonly move: 'activity'; readonly vm: string; readonly moved: readonly string[] }
  | { readonly move: 'hold'; readonly vm: string | null; readonly forMs: number | null }
  | { readonly move: 'unhold'; readonly vm: string | null }
  | { readonly move: 'journal'; readonly available: boolean }
  | { readonly move: 'maintenance'; readonly vm: string; readonly forMs: number | null | 'end' }
  | { readonly move: 'clear'; readonly vm: string | null }
  | { readonly move: 'release' | 'remove' | 'configure' | 'gone'; readonly vm: string };

/** Makes it happen, where it can. */
export function perform(s: Stage, move: Move): void {
  switch (move.move) {
    case 'wait':
      s.advance(move.ms);
      return;
    case 'probe':
      if (s.state.vms.get(move.vm)?.spec) {
        s.probe(move.name, move.state, move.state === 'ok' ? undefined : move.reason, move.vm);
      }
      return;
    case 'vmm':
      s.vmm(move.event, move.vm);
      return;
    case 'answer':
      if (s.asked) s.answer(move.fresh);
      return;
    case 'end':
      end(s, move.vm, move.how);
      return;
    case 'attach':
      attach(s, move.vm, move.same, move.status);
      return;
    case 'activity':
      s.send({ type: 'activity', vm: move.vm, moved: move.moved, atMs: s.now });
      return;
    case 'all-ok':
      if (s.state.vms.get(move.vm)?.running) s.allOk(move.vm);
      return;
    default:
      byPerson(s, move);
  }
}

function byPerson(s: Stage, move: Move): void {
  const author = 'ada';
  switch (move.move) {
    case 'hold': {
      const untilMs = move.forMs === null ? null : s.now + move.forMs;
      s.send({ type: 'hold', vm: move.vm, reason: 'drill', author, untilMs });
      return;
    }
    case 'unhold':
      s.send({ type: 'unhold', vm: move.vm, author });
      return;
    case 'journal':
      s.send({ type: 'journal', available: move.available });
      return;
    case 'maintenance': {
      const untilMs = typeof move.forMs === 'number' ? s.now + move.forMs : null;
      const begin = move.forMs === 'end' ? null : { reason: 'drill', untilMs };
      s.send({ type: 'maintenance', vm: move.vm, author, begin });
      return;
    }
    case 'clear':
      s.send({ type: 'clear-intents', vm: move.vm, author });
      return;
    case 'release':
      s.send({ type: 'release', vm: move.vm, author });
      return;
    case 'remove':
      s.send({ type: 'vm-removed', vm: move.vm });
      return;
    case 'configure':
      s.send({ type: 'vm-configured', vm: policyVm({ id: move.vm }) });
      return;
    case 'gone':
      s.send({ type: 'vm-looked', vm: move.vm, running: false });
      return;
    default:
  }
}

function end(s: Stage, vm: string, how: (Move & { move: 'end' })['how']): void {
  const action = s.inFlight(vm);
  if (how === 'unknown') {
    s.send({ type: 'action-ended', vm, actionId: 'no such', result: { result: 'done' } });
    return;
  }
  if (!action || s.state.vms.get(vm)?.action?.unresolved) return;
  if (how === 'done') s.boot(vm);
  else if (how === 'held') {
    const retryAtMs = s.now + 5_000;
    s.send({ type: 'action-held', vm, actionId: action.id, rule: 'action-held', reason: 'veto', retryAtMs });
  } else s.end({ result: how, code: 'X', message: 'no' }, vm);
}

function attach(s: Stage, vm: string, same: boolean, status: string): void {
  const known = s.state.vms.get(vm);
  if (!known?.spec || known.action) return;
  const startedAtMs = same && known.vmmStartedAtMs !== null ? known.vmmStartedAtMs : s.now;
  s.attach({ vm, fresh: false, startedAtMs, status, counters: vm === 'test/b' });
}

export const anyVm = fc.constantFrom(...VMS);
export const anyProbe = fc.constantFrom(...NAMES);
export const inconclusive = fc.constantFrom<Reason>('prober-late', 'channel-busy', 'prober-resources');
export const failure = fc.constantFrom<Reason>(
  'response-timeout',
  'connection-refused',
  'host-unreachable',
  'api-unreachable',
  'agent-not-connected',
  'process-stopped',
  'process-gone',
  'guest-panicked',
  'io-error',
  'vm-not-running',
  'bad-status',
);

const word = fc.oneof({ weight: 3, arbitrary: fc.constant('ok' as const) }, failure, inconclusive);
const fresh: fc.Arbitrary<Fresh> = fc.record(Object.fromEntries(NAMES.map((name) => [name, word])), {
  requiredKeys: [],
});

const vmmEvent: fc.Arbitrary<VmmEvent> = fc.oneof(
  fc.constant<VmmEvent>({ type: 'exited' }),
  fc.constant<VmmEvent>({ type: 'oom-killed' }),
  fc
    .constantFrom('pause', 'none', 'poweroff', 'shutdown')
    .map((action): VmmEvent => ({ type: 'panicked', action })),
  fc
    .constantFrom('pause', 'none', 'poweroff', 'reset')
    .map((action): VmmEvent => ({ type: 'watchdog', action })),
  fc.boolean().map((guest): VmmEvent => ({ type: 'reset', guest, reason: 'x' })),
  fc
    .tuple(fc.boolean(), fc.constantFrom('guest-shutdown', 'host-qmp-quit', 'host-error', 'guest-panic'))
    .map(([guest, reason]): VmmEvent => ({ type: 'shutdown', guest, reason })),
  fc.constantFrom<VmmEvent>(
    { type: 'crash-loaded' },
    { type: 'powerdown' },
    { type: 'paused' },
    { type: 'resumed' },
    { type: 'io-error', device: 'disk0', noSpace: true },
    { type: 'monitor', state: 'lost' },
    { type: 'monitor', state: 'connected' },
    { type: 'monitor', state: 'busy' },
    { type: 'run-state', status: 'save-vm' },
    { type: 'run-state', status: 'running' },
    { type: 'migration', active: true, status: 'active' },
    { type: 'migration', active: false, status: 'completed' },
  ),
);

export const wait: fc.Arbitrary<Move> = fc
  .oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 400_000 }))
  .map((ms) => ({ move: 'wait', ms }));

export const probing: fc.Arbitrary<Move> = fc
  .tuple(anyVm, anyProbe, fc.constantFrom<ProbeState>('ok', 'failed', 'blind'), failure, inconclusive)
  .map(([vm, name, state, failed, blind]) => ({
    move: 'probe',
    vm,
    name,
    state,
    reason: state === 'blind' ? blind : failed,
  }));

export const ending: fc.Arbitrary<Move> = fc
  .tuple(anyVm, fc.constantFrom('done', 'done', 'failed', 'impossible', 'held', 'unknown'))
  .map(([vm, how]) => ({ move: 'end', vm, how }));

export const vmmSays = (events: fc.Arbitrary<VmmEvent>): fc.Arbitrary<Move> =>
  fc.tuple(anyVm, events).map(([vm, event]) => ({ move: 'vmm', vm, event }));

const attaching: fc.Arbitrary<Move> = fc
  .tuple(anyVm, fc.boolean(), fc.constantFrom('running', 'paused', 'guest-panicked', 'unknown'))
  .map(([vm, same, status]) => ({ move: 'attach', vm, same, status }));

const activity: fc.Arbitrary<Move> = fc
  .tuple(anyVm, fc.subarray(['disk vda', 'network tap0']))
  .map(([vm, moved]): Move => ({ move: 'activity', vm, moved }));

export const people: fc.Arbitrary<Move> = fc.oneof(
  fc
    .tuple(fc.option(anyVm), fc.option(fc.integer({ min: 1, max: 100_000 })))
    .map(([vm, forMs]): Move => ({ move: 'hold', vm, forMs })),
  fc.option(anyVm).map((vm): Move => ({ move: 'unhold', vm })),
  fc.boolean().map((available): Move => ({ move: 'journal', available })),
  fc.option(anyVm).map((vm): Move => ({ move: 'clear', vm })),
  fc
    .tuple(anyVm, fc.oneof(fc.constant('end' as const), fc.option(fc.integer({ min: 1, max: 100_000 }))))
    .map(([vm, forMs]): Move => ({ move: 'maintenance', vm, forMs })),
  fc
    .tuple(fc.constantFrom('release', 'remove', 'configure'), anyVm)
    .map(([move, vm]): Move => ({ move, vm })),
);

/** Anything at all. */
export const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: wait },
    { weight: 5, arbitrary: probing },
    { weight: 5, arbitrary: vmmSays(vmmEvent) },
    { weight: 5, arbitrary: fresh.map((f): Move => ({ move: 'answer', fresh: f })) },
    { weight: 5, arbitrary: ending },
    { weight: 2, arbitrary: attaching },
    { weight: 2, arbitrary: activity },
    { weight: 1, arbitrary: anyVm.map((vm): Move => ({ move: 'gone', vm })) },
    { weight: 2, arbitrary: people },
  ),
  { maxLength: 120 },
);

/** Three healthy VMs. */
export function begin(): Stage {
  const s = new Stage(CONFIG);
  for (const id of VMS) s.healthy({ id });
  return s;
}
