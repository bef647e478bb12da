import fc from 'fast-check';
import { expect } from 'vitest';
import type { ProbeState } from '../../../src/model/outcome.js';
import type { VmmEvent } from '../../../src/model/ports.js';
import { DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import type { Invariant } from '../../../src/policy/invariant-list.js';
import {
  anyProbe,
  anyVm,
  begin,
  CONFIG,
  ending,
  failure,
  inconclusive,
  type Move,
  moves,
  NAMES,
  people,
  perform,
  VMS,
  vmmSays,
  wait,
} from './moves.js';
import { policyVm, type Stage } from './stage.js';

const RUNS = { numRuns: 400 };

/** What must hold at any time, judged from outside; the stage itself asserts the invariants at every step. */
function judge(s: Stage): void {
  const ids = s.actions.map((a) => a.id);
  expect(new Set(ids).size, 'no id of an action is used twice').toBe(ids.length);
  const inFlight = VMS.filter((vm) => s.inFlight(vm) && !s.state.vms.get(vm)?.action?.unresolved);
  expect(inFlight.length).toBeLessThanOrEqual(CONFIG.maxConcurrentRecoveries);
  expect(s.wakeAtMs === null || s.wakeAtMs > s.now, 'a wake lies in the future').toBe(true);
  expect(Object.values(s.state.host.queues).flat().length).toBeLessThan(200);
  expect(s.state.host.wakes.length).toBeLessThan(2 * VMS.length + 66);
  expect(s.state.host.boots.length).toBeLessThanOrEqual(CONFIG.maxBootsPerMinute);
  for (const vm of s.state.vms.values()) {
    expect(vm.budget.rolling.length).toBeLessThanOrEqual(DEFAULT_RECOVERY.maxPer24h);
    expect(vm.budget.consecutive).toBeLessThanOrEqual(DEFAULT_RECOVERY.maxConsecutive);
    expect(vm.past.length).toBeLessThanOrEqual(CONFIG.episodesKept);
    expect(vm.episode?.attempts.length ?? 0).toBeLessThanOrEqual(32);
  }
}

function play(s: Stage, list: readonly Move[]): void {
  for (const move of list) {
    perform(s, move);
    judge(s);
  }
}

/** Something that random sequences of events must not break. */
export interface Property {
  readonly name: string;
  readonly proves: readonly Invariant[];
  /** Throws the smallest sequence that breaks it. */
  readonly check: () => void | Promise<void>;
}

export const PROPERTIES: readonly Property[] = [
  {
    name: 'keeps every invariant, and stays bounded',
    proves: ['one-action', 'one-vmm', 'permitted', 'budget', 'founded', 'bounded'],
    check: () => {
      fc.assert(
        fc.property(moves, (list) => play(begin(), list)),
        RUNS,
      );
    },
  },

  {
    name: 'says the same when the same happens again',
    proves: [],
    check: () => {
      fc.assert(
        fc.property(moves, (list) => {
          const [one, two] = [begin(), begin()];
          play(one, list);
          play(two, list);
          expect(two.decisions).toEqual(one.decisions);
          expect(two.effects).toEqual(one.effects);
          expect(two.wakeAtMs).toBe(one.wakeAtMs);
        }),
        { numRuns: 100 },
      );
    },
  },

  {
    name: 'is not brought nearer to an action by anything inconclusive',
    proves: ['inconclusive'],
    check: () => {
      fc.assert(
        fc.property(moves, anyVm, anyProbe, inconclusive, (list, vm, name, reason) => {
          const s = begin();
          play(s, list);
          s.send({ type: 'tick' });
          const before = s.steps.length;
          perform(s, { move: 'probe', vm, name, state: 'blind', reason });
          perform(s, { move: 'answer', fresh: Object.fromEntries(NAMES.map((n) => [n, reason])) });
          expect(s.actions.slice(before).filter((a) => a.vm === vm)).toEqual([]);
        }),
        RUNS,
      );
    },
  },

  {
    name: 'never acts on inconclusive answers alone, however often they come',
    proves: ['inconclusive'],
    check: () => {
      const conclusive = ['process-gone', 'guest-panicked'];
      const failing = fc
        .tuple(
          anyVm,
          anyProbe,
          failure.filter((r) => !conclusive.includes(r)),
        )
        .map(([vm, name, reason]): Move => ({ move: 'probe', vm, name, state: 'failed', reason }));
      const blind = inconclusive.map(
        (reason): Move => ({ move: 'answer', fresh: Object.fromEntries(NAMES.map((n) => [n, reason])) }),
      );
      fc.assert(
        fc.property(fc.array(fc.oneof(failing, blind, wait), { maxLength: 80 }), (list) => {
          const s = begin();
          play(s, list);
          expect(s.steps).toEqual([]);
        }),
        RUNS,
      );
    },
  },

  {
    name: 'never touches a VM without a fault',
    proves: ['founded'],
    check: () => {
      const events = fc.constantFrom<VmmEvent>(
        { type: 'paused' },
        { type: 'resumed' },
        { type: 'powerdown' },
        { type: 'monitor', state: 'busy' },
        { type: 'monitor', state: 'connected' },
        { type: 'reset', guest: true, reason: 'guest-reset' },
        { type: 'io-error', device: 'disk0', noSpace: true },
      );
      const unready = fc.tuple(anyVm, fc.constantFrom<ProbeState>('ok', 'failed', 'blind')).map(
        ([vm, state]): Move => ({
          move: 'probe',
          vm,
          name: 'readiness',
          state,
          reason: 'connection-refused',
        }),
      );
      const unseen = fc
        .tuple(anyVm, anyProbe, fc.constantFrom<ProbeState>('ok', 'blind'))
        .map(([vm, name, state]): Move => ({ move: 'probe', vm, name, state, reason: 'channel-busy' }));
      const silentApi = anyVm.map(
        (vm): Move => ({ move: 'probe', vm, name: 'api', state: 'failed', reason: 'api-unreachable' }),
      );
      const guestAnswers = fc.constant<Move>({
        move: 'answer',
        fresh: { readiness: 'ok', liveness: 'ok', agent: 'ok', api: 'api-unreachable', process: 'ok' },
      });
      const harmless = fc.oneof(wait, unready, unseen, vmmSays(events), silentApi, guestAnswers, people);
      fc.assert(
        fc.property(fc.array(harmless, { maxLength: 80 }), (list) => {
          const s = begin();
          play(s, list);
          // A guest that stands still for want of space has a fault, and no other step answers it.
          expect(s.steps.filter((step) => step !== 'resume')).toEqual([]);
        }),
        RUNS,
      );
    },
  },

  {
    name: 'acts on a VM that stays failing until its budget is used up',
    proves: ['acted-on', 'budget'],
    check: () => {
      fc.assert(
        fc.property(moves, (list) => {
          const s = begin();
          play(s, list);
          for (const id of VMS) s.send({ type: 'vm-configured', vm: policyVm({ id }) });
          s.send({ type: 'journal', available: true });
          s.send({ type: 'unhold', vm: null, author: 'ada' });
          s.send({ type: 'clear-intents', vm: null, author: 'ada' });
          for (const vm of VMS) {
            if (s.inFlight(vm)) s.fail(vm);
            s.attach({ vm });
            s.send({ type: 'release', vm, author: 'ada' });
          }
          const before = s.steps.length;
          const left = new Map(VMS.map((vm) => [vm, s.explain(vm).budget]));
          for (const vm of VMS) s.vmm({ type: 'exited' }, vm);
          for (let minutes = 0; minutes < 120; minutes++) {
            s.advance(60_000);
            for (const vm of VMS) if (s.inFlight(vm)) s.fail(vm);
          }
          for (const vm of VMS) {
            expect(s.health(vm)).toBe('quarantined');
            const { consecutiveMax = 0, rolling24hUsed = 0, rolling24hMax = 0 } = left.get(vm) ?? {};
            const acted = s.actions.slice(before).filter((a) => a.vm === vm).length;
            expect(acted).toBeGreaterThanOrEqual(Math.min(consecutiveMax, rolling24hMax - rolling24hUsed));
          }
        }),
        { numRuns: 150 },
      );
    },
  },
  {
    name: 'a daemon that dies at any point acts on nothing before looking, repeats no action, and forgets no budget',
    proves: ['journalled', 'budget'],
    check: () => {
      fc.assert(
        fc.property(moves, moves, (list, rest) => {
          const s = begin();
          play(s, list);
          const old = new Set(s.actions.map((a) => a.id));
          const next = s.restart();
          for (const id of VMS) {
            expect(next.state.vms.get(id)?.quarantine).toEqual(s.state.vms.get(id)?.quarantine);
            expect(next.state.vms.get(id)?.budget).toEqual(s.state.vms.get(id)?.budget);
          }
          for (const id of VMS) next.send({ type: 'vm-configured', vm: policyVm({ id }) });
          next.advance(1_000_000);
          expect(next.steps).toEqual([]);
          for (const vm of VMS) perform(next, { move: 'attach', vm, same: true, status: 'running' });
          play(next, rest);
          expect(next.actions.filter((a) => old.has(a.id))).toEqual([]);
        }),
        { numRuns: 200 },
      );
    },
  },

  {
    name: 'a daemon that dies at any point goes on as the one that lived would have, where nothing was in flight',
    proves: ['journalled'],
    check: () => {
      const events = fc.constantFrom<VmmEvent>({ type: 'exited' }, { type: 'panicked', action: 'pause' });
      const allOk = anyVm.map((vm): Move => ({ move: 'all-ok', vm }));
      // A new daemon tries again at once what the old one found impossible; there they may differ.
      const possible = ending.filter((m) => m.move !== 'end' || m.how !== 'impossible');
      const plain = fc.oneof(wait, possible, vmmSays(events), allOk);
      const sequence = fc.array(plain, { maxLength: 60 });
      fc.assert(
        fc.property(sequence, sequence, (list, rest) => {
          const lived = begin();
          play(lived, list);
          for (const vm of VMS) perform(lived, { move: 'end', vm, how: 'done' });
          for (const vm of VMS) perform(lived, { move: 'all-ok', vm });
          const idle = (vm: string) => !lived.inFlight(vm) && lived.state.vms.get(vm)?.ticket === 0;
          fc.pre(VMS.every(idle));
          const reborn = lived.restart();
          const from = lived.actions.length;
          for (const id of VMS) for (const s of [lived, reborn]) found(lived, s, id);
          play(lived, rest);
          play(reborn, rest);
          const short = (s: Stage, skip: number) =>
            s.actions.slice(skip).map((a) => [a.id, a.step, a.attempt]);
          expect(short(reborn, 0)).toEqual(short(lived, from));
          for (const vm of VMS) expect(reborn.health(vm)).toBe(lived.health(vm));
        }),
        { numRuns: 300 },
      );
    },
  },
];

/** The VM is there as the one that lived knows it, and its probes are as they are. */
function found(lived: Stage, s: Stage, id: string): void {
  const { running, vmmStartedAtMs, facts } = lived.state.vms.get(id) ?? {};
  s.send({ type: 'vm-configured', vm: policyVm({ id }) });
  if (!running) {
    s.send({ type: 'vm-looked', vm: id, running: false });
    return;
  }
  const status = facts?.panickedAtMs == null ? 'running' : 'guest-panicked';
  s.attach({ vm: id, fresh: false, startedAtMs: vmmStartedAtMs ?? s.now, status });
  s.allOk(id);
}
