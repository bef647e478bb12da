import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { Outbox, type OutboxOptions } from '../../../src/notify/outbox.js';
import { Spool } from '../../../src/notify/spool.js';
import { Undelivered } from '../../../src/notify/undelivered.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { testFolder } from '../../fixtures/folder.js';

const PATIENCE = { timeout: 20_000, interval: 5 };
const DAY_MS = 86_400_000;

async function world(
  options: Partial<OutboxOptions<string>> & {
    folder?: string;
    clock?: ManualClock;
    maxEntries?: number;
  } = {},
) {
  const { folder = testFolder(), clock = new ManualClock(), maxEntries = 100, ...rest } = options;
  const dropped: string[] = [];
  const spool = new Spool({ folder, payload: z.string(), maxEntries, onDropped: (why) => dropped.push(why) });
  await spool.load();
  const sent: string[] = [];
  const failed: (readonly [string, string, boolean])[] = [];
  const outbox = new Outbox<string>({
    spool,
    clock,
    send: async () => {},
    onSent: ({ payload }) => void sent.push(payload),
    onFailed: ({ payload }, why, isOver) => failed.push([payload, why, isOver]),
    ...rest,
  });
  onTestFinished(() => outbox.close());
  outbox.start();
  const put = (payload: string) => outbox.put({ id: payload, atMs: clock.now(), payload });
  /** Time goes on, by so much at every turn, until it holds. */
  const until = (check: () => void, byMs = 100) =>
    vi.waitFor(async () => {
      await clock.advance(byMs);
      check();
    }, PATIENCE);
  return { folder, clock, spool, outbox, sent, failed, dropped, put, until };
}

describe('an outbox', () => {
  it('delivers in order, and nothing is left on disk', async () => {
    const { put, until, sent, folder } = await world();
    for (const payload of ['a', 'b', 'c']) await put(payload);
    await until(() => expect(sent).toEqual(['a', 'b', 'c']));
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]), PATIENCE);
  });

  it('tries again at a growing distance, and lets others pass', async () => {
    const at: number[] = [];
    const clock = new ManualClock();
    const { put, until, sent, failed } = await world({
      clock,
      send: async ({ payload }) => {
        if (payload !== 'bad') return;
        at.push(clock.now());
        if (at.length < 6) throw new Error('status 500');
      },
    });
    await put('bad');
    await put('good');
    await until(() => expect(sent).toEqual(['good']));
    await until(() => expect(sent).toEqual(['good', 'bad']), 1000);
    expect(failed).toHaveLength(5);
    const distances = at.slice(1).map((ms, n) => ms - (at[n] ?? 0));
    for (const [n, ms] of distances.entries()) expect(ms).toBeGreaterThanOrEqual(5000 * 2 ** n);
  });

  it('waits as long as the receiver asks for', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const { put, until, sent } = await world({
      clock,
      send: async () => {
        at.push(clock.now());
        if (at.length === 1) throw new Undelivered('status 429', { retryAfterMs: 120_000 });
      },
    });
    await put('a');
    await until(() => expect(sent).toEqual(['a']), 1000);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(120_000);
  });

  it('gives up what is refused for good, and what is older than a day', async () => {
    const { put, until, sent, failed, folder } = await world({
      maxAgeMs: DAY_MS,
      send: async ({ payload }) => {
        if (payload === 'poison') throw new Undelivered('status 400', { isFinal: true });
        if (payload === 'lost') throw new Undelivered('nobody there');
      },
    });
    await put('poison');
    await put('lost');
    await put('fine');
    await until(() => expect(sent).toEqual(['fine']));
    expect(failed[0]).toEqual(['poison', 'status 400', true]);
    await until(() => expect(failed.at(-1)).toEqual(['lost', 'nobody there', true]), 3_600_000);
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]), PATIENCE);
  });

  it('goes on with what a former run left, with the attempts and the id that it had', async () => {
    const first = await world({ send: () => Promise.reject(new Undelivered('nobody there')) });
    await first.put('a');
    await first.put('b');
    await first.until(() => expect(first.failed.length).toBeGreaterThanOrEqual(2));
    await first.outbox.close();
    expect(readdirSync(first.folder)).toHaveLength(2);
    const ids: string[] = [];
    const next = await world({
      folder: first.folder,
      clock: first.clock,
      send: async ({ id, attempts }) => {
        expect(attempts).toBeGreaterThan(0);
        ids.push(id);
      },
    });
    await next.until(() => expect(next.sent.toSorted()).toEqual(['a', 'b']), 1000);
    expect(ids.toSorted()).toEqual(['a', 'b']);
    // Numbers are not given twice.
    await next.put('c');
    await next.until(() => expect(next.sent).toContain('c'));
  });

  it('puts aside what is damaged, and goes on with the rest', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, '000000000001.json'), '{"id": "a", ');
    writeFileSync(join(folder, '000000000002.json.partial'), '{');
    const entry = { id: 'b', atMs: 0, attempts: 0, nextAtMs: 0, payload: 'b' };
    writeFileSync(join(folder, '000000000003.json'), JSON.stringify(entry));
    const { until, sent, dropped } = await world({ folder });
    await until(() => expect(sent).toEqual(['b']));
    expect(dropped).toEqual(['000000000001.json could not be read and was put aside']);
    expect(readdirSync(folder)).toContain('000000000001.json.bad');
    expect(readdirSync(folder)).not.toContain('000000000002.json.partial');
  });

  it('keeps so many at most, the newest', async () => {
    const { put, spool, dropped } = await world({
      maxEntries: 3,
      send: () => new Promise(() => {}),
    });
    for (const payload of ['a', 'b', 'c', 'd', 'e']) await put(payload);
    expect(spool.entries.map(({ payload }) => payload)).toEqual(['c', 'd', 'e']);
    expect(dropped).toEqual(['3 others wait', '3 others wait']);
  });

  it('sends so many in an hour at most; the others wait', async () => {
    const clock = new ManualClock();
    const startMs = clock.now();
    const { put, until, sent, spool } = await world({ clock, perHour: () => 2 });
    for (const payload of ['a', 'b', 'c', 'd']) await put(payload);
    await until(() => expect(sent).toEqual(['a', 'b']));
    await clock.advance(600_000);
    expect(sent).toEqual(['a', 'b']);
    expect(spool.size).toBe(2);
    await until(() => expect(sent).toEqual(['a', 'b', 'c', 'd']), 60_000);
    expect(clock.now() - startMs).toBeGreaterThanOrEqual(3_600_000);
  });
});
