import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../../src/lifecycle/index.js';
import { PlanExecutor } from '../../../src/lifecycle/plan-executor.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { silentLogger } from '../../../src/model/logger.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const PLAN = {
  idempotency_key: 'make-web',
  actions: [
    { operation_id: 'a', operation: 'CREATE', vm_id: 'web' },
    { operation_id: 'b', operation: 'START', vm_id: 'web' },
    { operation_id: 'c', operation: 'PAUSE', vm_id: 'web' },
  ],
};

function executor(journal = new MemoryJournal()) {
  const done: string[] = [];
  const answers = new Map<string, () => Promise<string>>();
  const plans = new PlanExecutor({
    journal,
    clock: new ManualClock(),
    logger: silentLogger,
    journalDeadlineMs: 1000,
    carryOut: (action, { id, signal }) => {
      done.push(id);
      const answer = answers.get(action.operation_id) ?? (async () => `${action.operation} done`);
      return Promise.race([
        answer(),
        new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    },
  });
  return { plans, done, answers, journal, plan: parsePlan(PLAN) };
}

const failing = () => Promise.reject(new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', 'no disk'));

describe('a plan', () => {
  it('is carried out in order, and its result given again for its key', async () => {
    const { plans, plan, done } = executor();
    const begun = await plans.submit(plan, 'ann@1');
    expect(begun).toMatchObject({ status: 'RUNNING', attempt: 1, author: 'ann@1' });
    const ended = await plans.ended('make-web');
    expect(ended.status).toBe('SUCCEEDED');
    expect(ended.actions.map(({ status, text }) => [status, text])).toEqual([
      ['SUCCEEDED', 'CREATE done'],
      ['SUCCEEDED', 'START done'],
      ['SUCCEEDED', 'PAUSE done'],
    ]);
    expect(await plans.submit(plan, 'bob@2')).toEqual(ended);
    expect(done).toHaveLength(3);
    expect(plans.view(ended.executionId)).toEqual(ended);
  });

  it('stops at what fails, and is tried again from there under another execution', async () => {
    const { plans, plan, done, answers } = executor();
    answers.set('b', failing);
    await plans.submit(plan, 'ann@1');
    const failed = await plans.ended('make-web');
    expect(failed.status).toBe('PARTIAL');
    expect(failed.actions.map(({ status }) => status)).toEqual(['SUCCEEDED', 'FAILED', 'SKIPPED']);
    expect(failed.actions[1]?.error).toEqual({ code: 'ERR_VMPULSE_START_IMPOSSIBLE', message: 'no disk' });
    answers.delete('b');
    await plans.submit(plan, 'ann@1');
    const ended = await plans.ended('make-web');
    expect(ended).toMatchObject({ status: 'SUCCEEDED', attempt: 2, planId: failed.planId });
    expect(ended.executionId).not.toBe(failed.executionId);
    expect(done.map((id) => id.split('/')[1])).toEqual(['a', 'b', 'b', 'c']);
  });

  it('is joined by who gives it while it runs', async () => {
    const { plans, plan, answers, done } = executor();
    let go = () => {};
    answers.set('a', () => new Promise((resolve) => (go = () => resolve('made'))));
    const first = await plans.submit(plan, 'ann@1');
    await expect.poll(() => done.length).toBe(1);
    const second = await plans.submit(plan, 'bob@2');
    expect(second).toMatchObject({ executionId: first.executionId, status: 'RUNNING' });
    go();
    expect((await plans.ended('make-web')).status).toBe('SUCCEEDED');
  });

  it('has a key of its own', async () => {
    const { plans, plan } = executor();
    await plans.submit(plan, 'ann@1');
    const other = parsePlan({ ...PLAN, actions: PLAN.actions.slice(1) });
    await expect(plans.submit(other, 'ann@1')).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining('belongs to another plan'),
    });
  });

  it('goes on after a daemon that died, with the action that ran, and keeps its result', async () => {
    const first = executor();
    first.answers.set('b', () => new Promise(() => {}));
    await first.plans.submit(first.plan, 'ann@1');
    await expect.poll(() => first.done.length).toBe(2);
    await first.plans.close();
    const second = executor(first.journal);
    await second.plans.start();
    const ended = await second.plans.ended('make-web');
    expect(ended).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
    expect(second.done).toEqual(first.done.slice(1).concat(second.done.slice(1)));
    const third = executor(first.journal);
    await third.plans.start();
    expect(await third.plans.submit(third.plan, 'ann@1')).toEqual(ended);
    expect(third.done).toEqual([]);
  });

  it('does not begin where it cannot be stored', async () => {
    const journal = new MemoryJournal();
    journal.saveState = () => Promise.reject(new VmpulseError('ERR_VMPULSE_JOURNAL', 'the disk is full'));
    const { plans, plan, done } = executor(journal);
    await expect(plans.submit(plan, 'ann@1')).rejects.toMatchObject({ code: 'ERR_VMPULSE_JOURNAL' });
    expect(done).toEqual([]);
  });

  it.each([
    ['no actions', { ...PLAN, actions: [] }, /actions: Too small/],
    [
      'an operation that there is not',
      { ...PLAN, actions: [{ ...PLAN.actions[0], operation: 'MELT' }] },
      /actions\.0\.operation/,
    ],
    ['a member that there is not', { ...PLAN, site: 1 }, /Unrecognized key: "site"/],
    ['an id twice', { ...PLAN, actions: [PLAN.actions[0], PLAN.actions[0]] }, /operation_id twice/],
    ['no key', { actions: PLAN.actions }, /idempotency_key/],
  ])('is refused with %s', (_, value, message) => {
    expect(() => parsePlan(value)).toThrow(message);
  });
});
