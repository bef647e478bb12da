import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { JOURNAL_TYPES, type JournalQuery } from '../../../src/model/journal-query.js';
import type { JournalEntry, StoredJournalEntry } from '../../../src/model/ports.js';
import { encodeEntry } from '../../../src/runtime/journal/entry-codec.js';
import { MemoryJournal } from '../../../src/runtime/journal/memory.js';
import { querySql } from '../../../src/runtime/journal/query.js';
import { MIGRATIONS, migrate } from '../../../src/runtime/journal/schema.js';
import { JournalStore } from '../../../src/runtime/journal/store.js';
import { testFolder } from '../../fixtures/folder.js';
import { entry, SOON } from './helpers.js';

const KEEP_ALL = { maxBytes: 1e12, maxAgeMs: 1e15 };
const VMS = ['a/x', 'a/y', null];
const REASONS = ['connect-timeout', 'connection-refused', 'prober-late', 'no such reason', null];

/** A small generator of whole numbers, so that a failure can be repeated. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** Entries of every kind, whose times run forwards, stand still, and jump back. */
function entriesOf(roll: (sides: number) => number, count: number): JournalEntry[] {
  let atMs = 1_000_000;
  return Array.from({ length: count }, (_, i) => {
    atMs += roll(20) === 0 ? -roll(5_000) : roll(3) * roll(100);
    const type = JOURNAL_TYPES[roll(JOURNAL_TYPES.length)] ?? 'daemon';
    const data = { to: ['ok', 'failed', 'blind'][roll(3)], reason: REASONS[roll(REASONS.length)] };
    return entry(`n${i}`, { atMs, vm: VMS[roll(VMS.length)] ?? null, type, data });
  });
}

function someQuery(roll: (sides: number) => number): JournalQuery {
  const maybe = <T extends object>(part: () => T) => (roll(2) === 0 ? {} : part());
  const types = () => JOURNAL_TYPES.filter(() => roll(3) === 0);
  return {
    ...maybe(() => ({ vm: ['a/x', 'a/y', 'a/nobody'][roll(3)] ?? '' })),
    ...maybe(() => ({ types: types() })),
    ...(roll(4) === 0 ? { classes: (['timeout', 'refused', 'inconclusive'] as const).slice(roll(3)) } : {}),
    ...maybe(() => ({ fromMs: 1_000_000 + roll(10_000) })),
    ...maybe(() => ({ untilMs: 1_000_000 + roll(30_000) })),
    order: roll(2) === 0 ? 'newest' : 'oldest',
    limit: 1 + roll(40),
  };
}

/** All pages, one after another. */
async function everyPage(
  ask: (
    query: JournalQuery,
  ) =>
    | { entries: readonly StoredJournalEntry[]; next: string | null }
    | Promise<{ entries: readonly StoredJournalEntry[]; next: string | null }>,
  query: JournalQuery,
): Promise<StoredJournalEntry[]> {
  const found: StoredJournalEntry[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await ask({ ...query, ...(cursor === undefined ? {} : { cursor }) });
    expect(page.entries.length).toBeLessThanOrEqual(query.limit);
    found.push(...page.entries);
    if (page.next === null) return found;
    cursor = page.next;
  }
}

describe('queries of the journal', () => {
  it('find on disk and in memory what looking at every entry finds, in order, whatever the size of the page', async () => {
    const roll = dice(7);
    const written = entriesOf(roll, 600);
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    store.append('w/1', written.map(encodeEntry));
    const memory = new MemoryJournal();
    await memory.append(written, SOON);
    const all = store.read({ limit: 10_000 });
    for (let i = 0; i < 150; i++) {
      const query = someQuery(roll);
      const { vm, types, classes, fromMs = 0, untilMs = Number.MAX_VALUE, order } = query;
      const classOf = ({ type, data }: StoredJournalEntry) =>
        type === 'transition' && data.to !== 'ok'
          ? { 'connect-timeout': 'timeout', 'connection-refused': 'refused', 'prober-late': 'inconclusive' }[
              String(data.reason)
            ]
          : undefined;
      const expected = all
        .filter(
          (one) =>
            (vm === undefined || one.vm === vm) &&
            (types === undefined || types.includes(one.type)) &&
            (classes === undefined || classes.some((each) => each === classOf(one))) &&
            one.atMs >= fromMs &&
            one.atMs < untilMs,
        )
        .sort((a, b) => (order === 'newest' ? -1 : 1) * (a.atMs - b.atMs || a.seq - b.seq));
      expect(await everyPage((asked) => store.query(asked), query), JSON.stringify(query)).toEqual(expected);
      expect(await everyPage((asked) => memory.query(asked), query), JSON.stringify(query)).toEqual(expected);
    }
    store.close();
  });

  it('read a stretch of an index a type, and never look through the entries', () => {
    const path = join(testFolder(), 'j.db');
    new JournalStore({ path, ...KEEP_ALL }).close();
    const db = new Database(path);
    const roll = dice(11);
    for (let i = 0; i < 60; i++) {
      const { text, values } = querySql({ ...someQuery(roll), cursor: '1000100.5' });
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all([...values]);
      const steps = plan.map((step) => String((step as { detail: unknown }).detail));
      expect(steps.filter((step) => /^SCAN entries/.test(step))).toEqual([]);
      // Nothing is sorted but the page: the stretches come in order, and no further than it needs.
      expect(steps.filter((step) => step.startsWith('USE TEMP B-TREE')).length).toBeLessThanOrEqual(1);
    }
    db.close();
  });

  it('give everything about some actions', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    const about = (text: string, actionId: string | null) => encodeEntry(entry(text, { actionId }));
    store.append('w/1', [
      about('1', 'a'),
      about('2', 'b'),
      about('3', null),
      about('4', 'a'),
      about('5', 'c'),
    ]);
    expect(store.ofActions(['a', 'c', 'none']).map(({ text }) => text)).toEqual(['1', '4', '5']);
    expect(store.ofActions([])).toEqual([]);
    store.close();
  });
});

describe('a journal of a former vmpulse', () => {
  it('can be asked by class, and has all it had', () => {
    const path = join(testFolder(), 'j.db');
    const old = new Database(path);
    migrate(old, path, MIGRATIONS.slice(0, 2));
    const insert = old.prepare(
      "INSERT INTO entries (at_ms, vm, type, text, data) VALUES (?, 'a/x', 'transition', ?, ?)",
    );
    const was = [
      ['failed', 'tls-timeout', 'timeout'],
      ['failed', 'connection-reset', 'refused'],
      ['failed', 'dns-failure', 'unreachable'],
      ['failed', 'name-mismatch', 'tls'],
      ['failed', 'authentication-failed', 'auth'],
      ['failed', 'bad-body', 'invalid-response'],
      ['failed', 'exec-nonzero', 'agent'],
      ['failed', 'io-error', 'hypervisor'],
      ['failed', 'process-gone', 'gone'],
      ['failed', 'tap-frozen', 'stalled'],
      ['failed', 'latency', 'threshold'],
      ['blind', 'cancelled', 'inconclusive'],
    ] as const;
    for (const [at, [to, reason]] of was.entries()) insert.run([at, reason, JSON.stringify({ to, reason })]);
    insert.run([99, 'well again', JSON.stringify({ to: 'ok', reason: null })]);
    insert.run([100, 'damaged', '{broken']);
    old.close();
    const store = new JournalStore({ path, ...KEEP_ALL });
    for (const [, reason, failure] of was) {
      const page = store.query({ classes: [failure], vm: 'a/x', order: 'newest', limit: 9 });
      expect(page.entries.map(({ text }) => text)).toEqual([reason]);
    }
    expect(store.query({ types: ['transition'], order: 'newest', limit: 99 }).entries).toHaveLength(14);
    store.close();
  });
});
