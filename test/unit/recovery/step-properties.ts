import fc from 'fast-check';
import { expect } from 'vitest';
import type { LadderStep, RecoveryAction } from '../../../src/model/action.js';
import { systemClock } from '../../../src/model/clock.js';
import type { Driver, JournalEntry, VmmSession } from '../../../src/model/ports.js';
import type { Recovery } from '../../../src/recovery/recovery.js';
import { createRecoveries } from '../../../src/recovery/registry.js';
import { ActionRunner } from '../../../src/runtime/action-runner.js';
import { Recorder } from '../../../src/runtime/recorder.js';
import type { VmUnit } from '../../../src/runtime/vm-unit.js';
import type { Property } from '../policy/properties.js';
import { testVm } from '../qemu/fixtures.js';

const RUNS = { numRuns: 200 };

const STEPS: readonly LadderStep[] = ['start', 'reboot', 'reset', 'power-cycle', 'recreate'];

/** Where something may go wrong on the way. */
const CALLS = ['prove', 'stop', 'start', 'reset', 'reboot', 'status'] as const;

export function actionOf(step: LadderStep, vm: string, n = 1): RecoveryAction {
  const diagnosis = { kind: 'guest-hung', cause: 'guest-panicked', evidence: [] } as const;
  return { id: `a-${n}`, vm, step, attempt: 1, diagnosis, timeoutMs: 60_000 };
}

/** A driver and a session that write down what was done in the end, and fail where they are told to. */
function scripted(failing: readonly string[], starts: boolean, done: string[]) {
  const call = (name: (typeof CALLS)[number]) => async () => {
    await Promise.resolve();
    if (failing.includes(name)) throw new Error(`${name} fails`);
    done.push(name);
  };
  const driver = {
    name: 'qemu',
    supports: () => starts,
    proveStart: call('prove'),
    start: call('start'),
  } as unknown as Driver;
  const session = {
    stop: call('stop'),
    reset: call('reset'),
    reboot: call('reboot'),
    status: async () => 'running',
  } as unknown as VmmSession;
  return { driver, session };
}

const attempts = fc.record({
  step: fc.constantFrom(...STEPS),
  failing: fc.subarray([...CALLS]),
  starts: fc.boolean(),
  attached: fc.boolean(),
});

const endsOnlyWhatStarts = fc.asyncProperty(attempts, async ({ step, failing, starts, attached }) => {
  const vm = testVm();
  const done: string[] = [];
  const violations: string[] = [];
  const { driver, session } = scripted(failing, starts, done);
  await createRecoveries()
    .get(step)
    ?.run(actionOf(step, vm.id), {
      vm,
      driver,
      ...(attached ? { session } : {}),
      clock: systemClock,
      signal: new AbortController().signal,
      save: () => {},
      onViolation: (what) => violations.push(what),
    });
  if (done.includes('stop')) expect(done.indexOf('prove')).toBe(0);
  if (done.includes('start') && attached && step !== 'start')
    expect(done.indexOf('stop')).toBeLessThan(done.indexOf('start'));
  if (done.includes('start') && attached && step !== 'start') expect(done).toContain('stop');
  expect(violations).toEqual([]);
});

const runs = fc.array(
  fc.record({
    step: fc.constantFrom<LadderStep>('reset', 'restart-service'),
    writes: fc.constantFrom('at once', 'late', 'never'),
    vetoes: fc.boolean(),
    ends: fc.constantFrom('done', 'impossible', 'throws'),
  }),
  { minLength: 1, maxLength: 6 },
);

const actsOnRecordOnly = fc.asyncProperty(runs, async (list) => {
  const durable: JournalEntry[] = [];
  const violations: string[] = [];
  let writes = 'at once';
  const journal = {
    append: async (entries: readonly JournalEntry[]) => {
      if (writes === 'late') await new Promise((resolve) => setImmediate(resolve));
      if (writes === 'never') throw new Error('no space');
      durable.push(...entries);
    },
  };
  const recorder = recorderOf(journal);
  for (const [n, { step, vetoes, ends, ...run }] of list.entries()) {
    ({ writes } = run);
    const action = actionOf(step, 'test/a', n);
    const onRecord = (type: string) => durable.some((e) => e.type === type && e.actionId === action.id);
    let acted = 0;
    const recovery: Recovery = {
      async run() {
        acted += 1;
        expect(onRecord('action-start')).toBe(true);
        expect(onRecord('action-end')).toBe(false);
        if (ends === 'throws') throw new Error('no');
        return ends === 'done' ? { result: 'done' } : { result: 'impossible', code: 'X', message: 'no' };
      },
    };
    await carriedOut(action, recovery, recorder, vetoes, violations);
    await recorder.settled();
    expect(acted).toBe(vetoes || writes === 'never' ? 0 : 1);
    if (acted === 1 && writes !== 'never') expect(onRecord('action-end')).toBe(true);
    expect(recorder.isOpen(action.id)).toBe(false);
  }
  expect(violations).toEqual([]);
});

function recorderOf(journal: { append: (entries: readonly JournalEntry[]) => Promise<void> }): Recorder {
  const quiet = () => {};
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  return new Recorder({ journal: journal as never, clock: systemClock, logger, deadlineMs: 1_000 });
}

/** Resolves when the policy was told of the end of the action, or that it was held. */
export function carriedOut(
  action: RecoveryAction,
  recovery: Recovery,
  recorder: Pick<Recorder, 'durable' | 'note' | 'isOpen'>,
  vetoes: boolean,
  violations: string[],
): Promise<void> {
  return new Promise((resolve) => {
    const runner = new ActionRunner({
      recoveries: new Map([[action.step, recovery]]),
      recorder: recorder as Recorder,
      clock: systemClock,
      network: undefined,
      beforeAction: () => (vetoes ? { hold: 'drill' } : { allow: true }),
      holdFile: undefined,
      heldMeanwhile: () => undefined,
      hooks: undefined,
      why: () => ({}) as never,
      post: () => resolve(),
      look: async () => {},
      persist: async () => {},
      onResult: () => {},
      onViolation: (what) => violations.push(what),
    });
    runner.run(action, { spec: testVm(), driver: {}, session: undefined } as unknown as VmUnit);
  });
}

/** What holds for the steps of a recovery, whatever fails on the way. */
export const STEP_PROPERTIES: readonly Property[] = [
  {
    name: 'ends a VMM only once its start was proven, and starts one only where none is left',
    proves: ['proven-start', 'one-vmm'],
    check: () => fc.assert(endsOnlyWhatStarts, RUNS),
  },
  {
    name: 'acts only between two entries of the journal, the first of them on disk',
    proves: ['journalled'],
    check: () => fc.assert(actsOnRecordOnly, RUNS),
  },
];
