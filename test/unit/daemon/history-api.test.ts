import { describe, expect, it } from 'vitest';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { serve } from './helpers.js';

function entry(seq: number, more: Partial<StoredJournalEntry> = {}): StoredJournalEntry {
  return {
    ...{ seq, atMs: seq * 1_000, vm: 'lab/db', type: 'daemon', actionId: null, text: `n${seq}`, data: {} },
    ...more,
  };
}

const failed = (reason: string) => ({ type: 'transition' as const, data: { to: 'failed', reason } });

const diagnosis = {
  kind: 'guest-hung',
  cause: 'guest-panicked',
  evidence: [{ atMs: 900, source: 'vmm-event', text: 'the guest panicked' }],
};
const begins = (actionId: string) => ({
  type: 'action-start' as const,
  ...{ actionId, text: 'reset begins', data: { step: 'reset', attempt: 1, diagnosis } },
});
const ends = (actionId: string, data: Record<string, unknown>) => ({
  type: 'action-end' as const,
  ...{ actionId, text: `reset ${data.result}`, data },
});

describe('GET /v1/journal/entries', () => {
  it('answers by VM, type, class and time, page by page', async () => {
    const { runtime, get } = await serve();
    runtime.entries = [
      entry(1, failed('connect-timeout')),
      entry(2, { ...failed('connection-refused'), vm: 'default/web-1' }),
      entry(3, failed('connection-refused')),
      entry(4),
    ];
    const texts = async (query: string) => {
      const { status, json } = await get(`/v1/journal/entries?${query}`);
      expect(status).toBe(200);
      const page = json as { entries: { text: string }[]; next: string | null };
      return { texts: page.entries.map(({ text }) => text), next: page.next };
    };
    expect(await texts('vm=db')).toEqual({ texts: ['n4', 'n3', 'n1'], next: null });
    expect(await texts('type=transition&order=oldest')).toMatchObject({ texts: ['n1', 'n2', 'n3'] });
    expect(await texts('class=refused,tls')).toMatchObject({ texts: ['n3', 'n2'] });
    expect(await texts('from=2000&until=1970-01-01T00:00:04Z')).toMatchObject({ texts: ['n3', 'n2'] });
    const first = await texts('limit=3');
    expect(first.texts).toEqual(['n4', 'n3', 'n2']);
    expect(await texts(`limit=3&cursor=${first.next}`)).toEqual({ texts: ['n1'], next: null });
    expect(await texts('vm=gone/away')).toEqual({ texts: [], next: null });
  });

  it.each([
    ['type=nonsense', /\?type= takes transition, health/],
    ['class=', /\?class= takes timeout, refused/],
    ['from=yesterday', /\?from= must be milliseconds since 1970/],
    ['until=2026-01-31T08:00:00', /\?until= must be milliseconds/],
    ['order=sideways', /\?order=/],
    ['limit=5000', /\?limit= must be a whole number up to 1000/],
    ['cursor=1;2', /the cursor is none/],
    ['colour=red', /colour/],
  ])('refuses ?%s', async (query, message) => {
    const { get } = await serve();
    const { status, json } = await get(`/v1/journal/entries?${query}`);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: { code: 'ERR_VMPULSE_ARGUMENT', message: expect.stringMatching(message) },
    });
  });
});

describe('GET /v1/recovery/log', () => {
  it('says what was wrong, what was done, and what came of it', async () => {
    const { runtime, get } = await serve();
    const healed = { kind: 'note', rule: 'healed' };
    runtime.entries = [
      entry(1, begins('a-1')),
      entry(2, ends('a-1', { result: 'done' })),
      entry(3, { type: 'decision', actionId: 'a-1', text: 'health is back', data: healed }),
      entry(4, begins('a-2')),
      entry(5, ends('a-2', { result: 'failed', code: 'ERR_VMPULSE_MONITOR', message: 'no answer' })),
      entry(6, begins('a-3')),
      entry(7, ends('a-3', { result: 'unresolved' })),
      entry(8, { ...begins('a-4'), data: { step: 'of an older vmpulse' } }),
      entry(9, { ...begins('a-5'), vm: 'default/web-1' }),
    ];
    const { json } = await get('/v1/recovery/log?vm=db&order=oldest');
    expect(json).toEqual({
      recoveries: [
        {
          ...{ actionId: 'a-1', vm: 'lab/db', startedAtMs: 1_000 },
          issue: 'guest-hung (guest-panicked): the guest panicked',
          diagnosis: { kind: 'guest-hung', cause: 'guest-panicked' },
          ...{ action: 'reset', attempt: 1, result: 'success', endedAtMs: 2_000, healedAtMs: 3_000 },
          ...{ durationMs: 2_000, text: 'health is back' },
        },
        expect.objectContaining({ actionId: 'a-2', result: 'failed', durationMs: 1_000, healedAtMs: null }),
        expect.objectContaining({ actionId: 'a-3', result: 'unresolved' }),
      ],
      next: null,
    });
    const all = await get('/v1/recovery/log');
    expect(all.json).toMatchObject({
      recoveries: [{ actionId: 'a-5', result: 'running', durationMs: null }, {}, {}, {}],
    });
  });

  it('has the whole text, however long: who shows it shortens it', async () => {
    const { runtime, get } = await serve();
    const text = 'x'.repeat(3_000);
    const data = { step: 'reset', attempt: 1, diagnosis: { ...diagnosis, evidence: [{ text }] } };
    runtime.entries = [entry(1, { ...begins('a-1'), text, data })];
    const { json } = await get('/v1/recovery/log');
    expect(json).toMatchObject({
      recoveries: [{ issue: `guest-hung (guest-panicked): ${text}`, text }],
    });
  });
});
