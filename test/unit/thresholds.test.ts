import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Change, Thresholds } from '../../src/engine/thresholds.js';
import type { Outcome } from '../../src/model/outcome.js';
import { isInconclusive, isReason, type Reason } from '../../src/model/reasons.js';

const state = z.enum(['unknown', 'ok', 'failed', 'blind']);
const reason = z.string().transform((text): Reason => {
  if (!isReason(text)) throw new Error(`${text} is no reason`);
  return text;
});
const change = z.strictObject({
  from: state,
  to: state,
  reason: reason.optional(),
  streakStartMs: z.number(),
  count: z.number(),
  lastOkMs: z.number(),
});
const step = z.strictObject({
  atMs: z.number(),
  outcome: z.string(),
  change: change.nullable(),
  periodMs: z.number(),
});
const vector = z.strictObject({
  name: z.string(),
  timing: z.strictObject({
    periodMs: z.number(),
    successThreshold: z.number(),
    failureThreshold: z.number(),
    retryPeriodMs: z.number().optional(),
    downPeriodMs: z.number().optional(),
  }),
  blindAfter: z.number(),
  startState: state,
  steps: z.array(step).min(1),
  end: z.strictObject({
    state,
    consecutiveOk: z.number(),
    consecutiveFailed: z.number(),
    consecutiveInconclusive: z.number(),
  }),
});
const file = z.strictObject({ about: z.string(), vectors: z.array(vector) });

const text = readFileSync(new URL('../vectors/thresholds.json', import.meta.url), 'utf8');
const { vectors } = file.parse(JSON.parse(text));

function outcomeOf(code: Reason): Outcome {
  return isInconclusive(code) ? { result: 'inconclusive', reason: code } : { result: 'failed', reason: code };
}

function play(
  thresholds: Thresholds,
  { blindAfter, timing }: z.output<typeof vector>,
  at: z.output<typeof step>,
) {
  const whole = {
    initialDelayMs: 0,
    timeoutMs: timing.periodMs / 2,
    periodMs: timing.periodMs,
    successThreshold: timing.successThreshold,
    failureThreshold: timing.failureThreshold,
    ...(timing.retryPeriodMs === undefined ? {} : { retryPeriodMs: timing.retryPeriodMs }),
    ...(timing.downPeriodMs === undefined ? {} : { downPeriodMs: timing.downPeriodMs }),
  };
  const count = (): Change | undefined => {
    if (at.outcome === 'ok') return thresholds.observe({ result: 'ok' }, at.atMs, whole, blindAfter);
    const outcome = outcomeOf(reason.parse(at.outcome.replace(/^!/, '')));
    if (!at.outcome.startsWith('!')) return thresholds.observe(outcome, at.atMs, whole, blindAfter);
    if (outcome.result !== 'failed') throw new Error(`${at.outcome} cannot fail at once`);
    return thresholds.failAtOnce(outcome, at.atMs);
  };
  const came = count();
  return { came: came ?? null, periodMs: thresholds.periodMs(whole) };
}

function expectedChange(at: z.output<typeof step>): Change | null {
  if (at.change === null) return null;
  const { reason: why, ...rest } = at.change;
  return { ...rest, ...(why === undefined ? {} : { reason: why }), atMs: at.atMs };
}

describe('thresholds', () => {
  it('has the vectors of the Rust engine', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(9);
  });

  it.each(vectors)('$name', (of) => {
    const thresholds = new Thresholds(of.startState);
    for (const at of of.steps) {
      const { came, periodMs } = play(thresholds, of, at);
      expect(came, `at ${at.atMs} ms`).toEqual(expectedChange(at));
      expect(periodMs, `period after ${at.atMs} ms`).toBe(at.periodMs);
    }
    const { state: end, consecutiveOk, consecutiveFailed, consecutiveInconclusive } = thresholds;
    expect({ state: end, consecutiveOk, consecutiveFailed, consecutiveInconclusive }).toEqual(of.end);
  });

  it('saves what lasts over a restart: the known state under a blind one, the streak, the last ok', () => {
    const timing = {
      initialDelayMs: 0,
      periodMs: 1000,
      timeoutMs: 500,
      successThreshold: 1,
      failureThreshold: 2,
    };
    const before = new Thresholds('ok');
    before.observe({ result: 'ok' }, 1000, timing, 1);
    before.observe({ result: 'failed', reason: 'bad-status' }, 2000, timing, 1);
    before.observe({ result: 'inconclusive', reason: 'prober-late' }, 3000, timing, 1);
    expect(before.state).toBe('blind');
    const after = Thresholds.restore(before.save());
    expect(after.state).toBe('ok');
    expect(after.save()).toEqual(before.save());
    const fall = after.observe({ result: 'failed', reason: 'bad-status' }, 4000, timing, 1);
    expect(fall).toMatchObject({ from: 'ok', to: 'failed', streakStartMs: 2000, count: 2, lastOkMs: 1000 });
  });

  it('remembers a noted outcome without counting it', () => {
    const thresholds = new Thresholds('ok');
    thresholds.note({ result: 'inconclusive', reason: 'suspended' }, 7);
    expect(thresholds.lastOutcome).toEqual({ result: 'inconclusive', reason: 'suspended' });
    expect([thresholds.lastAtMs, thresholds.consecutiveInconclusive, thresholds.state]).toEqual([7, 0, 'ok']);
  });
});
