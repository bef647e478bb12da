import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { encodeEntry, MAX_DATA_CHARS, MAX_TEXT_CHARS } from '../../../src/runtime/journal/entry-codec.js';
import { MIGRATIONS, migrate } from '../../../src/runtime/journal/schema.js';
import { JournalStore } from '../../../src/runtime/journal/store.js';
import { testFolder } from '../../fixtures/folder.js';
import { entry } from './helpers.js';

const KEEP_ALL = { maxBytes: 1e12, maxAgeMs: 1e15 };

function row(text: string, more: Parameters<typeof entry>[1] = {}) {
  return encodeEntry(entry(text, more));
}

function texts(store: JournalStore): string[] {
  return store.read({ limit: 10_000 }).map(({ text }) => text);
}

/** Bytes of the file once its write-ahead log is in it. */
function sizeOf(path: string): number {
  const db = new Database(path);
  const { n } = db
    .prepare('SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size')
    .get([]) as {
    n: number;
  };
  db.close();
  return n;
}

describe('JournalStore', () => {
  it('gives back what it was given, in order, after it was opened again', () => {
    const path = join(testFolder(), 'journal.db');
    const first = new JournalStore({ path, ...KEEP_ALL });
    const data = { step: 'reset', attempt: 1, evidence: ['a', { b: null }] };
    first.append('w/1', [row('one'), row('two', { vm: null, type: 'action-start', actionId: 'a-1', data })]);
    first.close();
    const again = new JournalStore({ path, ...KEEP_ALL });
    expect(again.read({ limit: 10 })).toEqual([
      { ...entry('one'), seq: 1 },
      { ...entry('two', { vm: null, type: 'action-start', actionId: 'a-1', data }), seq: 2 },
    ]);
    again.close();
  });

  it('reads the newest entries, or those after a number, oldest first', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    store.append(
      'w/1',
      ['1', '2', '3', '4', '5', '6'].map((text) => row(text)),
    );
    const read = (query: Parameters<JournalStore['read']>[0]) => store.read(query).map(({ text }) => text);
    expect(read({ limit: 2 })).toEqual(['5', '6']);
    expect(read({ limit: 2, afterSeq: 2 })).toEqual(['3', '4']);
    expect(read({ limit: 0 })).toEqual([]);
    store.close();
  });

  it('does not write a batch twice when it is repeated', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    store.append('w/1', [row('one')]);
    store.append('w/1', [row('one')]);
    store.append('w/2', [row('two')]);
    expect(texts(store)).toEqual(['one', 'two']);
    store.close();
  });

  it('writes a batch whole or not at all', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    const broken = { ...row('two'), type: null as unknown as string };
    expect(() => store.append('w/1', [row('one'), broken])).toThrow(/NOT NULL/);
    expect(texts(store)).toEqual([]);
    store.append('w/1', [row('one')]);
    expect(texts(store)).toEqual(['one']);
    store.close();
  });

  it('finds actions that began and did not end', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    store.append('w/1', [
      row('start a', { type: 'action-start', actionId: 'a' }),
      row('start b', { type: 'action-start', actionId: 'b' }),
      row('about b', { type: 'decision', actionId: 'b' }),
      row('end a', { type: 'action-end', actionId: 'a' }),
    ]);
    expect(store.unfinished().map(({ actionId }) => actionId)).toEqual(['b']);
    store.append('w/2', [row('end b', { type: 'action-end', actionId: 'b' })]);
    expect(store.unfinished()).toEqual([]);
    store.close();
  });

  it('prunes the oldest over its size, in small steps, but keeps starts without an end and the newest 1,000', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), maxBytes: 0, maxAgeMs: 1e15 });
    store.append('w/1', [row('unfinished', { type: 'action-start', actionId: 'x' })]);
    store.append(
      'w/2',
      Array.from({ length: 2_200 }, (_, i) => row(`n${i}`)),
    );
    let steps = 0;
    while (store.prune(0)) steps += 1;
    expect(steps).toBeGreaterThan(2);
    expect(texts(store)).toEqual(['unfinished', ...Array.from({ length: 1_000 }, (_, i) => `n${1_200 + i}`)]);
    store.append('w/3', [row('end', { type: 'action-end', actionId: 'x' })]);
    while (store.prune(0));
    expect(texts(store)).toEqual([...Array.from({ length: 999 }, (_, i) => `n${1_201 + i}`), 'end']);
    store.close();
  });

  it('gives the file system back what a smaller size leaves free', () => {
    const path = join(testFolder(), 'j.db');
    const large = new JournalStore({ path, ...KEEP_ALL });
    for (let i = 0; i < 10; i++)
      large.append(
        `w/${i}`,
        Array.from({ length: 1_000 }, (_, n) => row(`${n} ${'x'.repeat(500)}`)),
      );
    while (large.prune(0));
    large.close();
    expect(sizeOf(path)).toBeGreaterThan(6e6);
    const small = new JournalStore({ path, maxBytes: 2e6, maxAgeMs: 1e15 });
    while (small.prune(0));
    expect(texts(small).length).toBeGreaterThan(1_000);
    small.close();
    expect(sizeOf(path)).toBeLessThan(2.5e6);
  });

  it('prunes by age, but never the newest 10,000, whatever the clock says', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), maxBytes: 1e12, maxAgeMs: 5_000 });
    store.append(
      'w/1',
      Array.from({ length: 10_700 }, (_, i) => row(`n${i}`, { atMs: i < 600 ? 1_000 : 100_000 })),
    );
    while (store.prune(100_000));
    expect(store.read({ limit: 1, afterSeq: 0 })[0]?.text).toBe('n600');
    while (store.prune(4e12));
    expect(store.read({ limit: 20_000 })).toHaveLength(10_000);
    expect(store.read({ limit: 1, afterSeq: 0 })[0]?.text).toBe('n700');
    store.close();
  });

  it.each([
    ['by size', { maxBytes: 0, maxAgeMs: 1e15 }, 1_000],
    ['by age', { maxBytes: 1e12, maxAgeMs: 5_000 }, 10_000],
  ])('prunes %s behind whatever has to stay', (_how, retention, keptAtMost) => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...retention });
    const started = (i: number) => row(`open ${i}`, { type: 'action-start', actionId: `a${i}` });
    // More than a step of each: starts without an end, and entries of a clock that was far ahead.
    store.append(
      'w/1',
      Array.from({ length: 250 }, (_, i) => started(i)),
    );
    store.append(
      'w/2',
      Array.from({ length: 250 }, (_, i) => row(`ahead ${i}`, { atMs: 9e12 })),
    );
    for (const [n, type] of (['transition', 'health', 'decision', 'input', 'daemon'] as const).entries())
      store.append(
        `w/${n + 3}`,
        Array.from({ length: 400 }, (_, i) => row(`${type} ${i}`, { type })),
      );
    store.append(
      'w/9',
      Array.from({ length: keptAtMost }, (_, i) => row(`new ${i}`, { atMs: 100_000 })),
    );
    while (store.prune(100_000));
    const left = store.read({ limit: 20_000, afterSeq: 0 }).map(({ text }) => text.split(' ')[0]);
    const count = (word: string) => left.filter((each) => each === word).length;
    expect(count('open')).toBe(250);
    expect(count('ahead')).toBe(retention.maxBytes === 0 ? 0 : 250);
    expect(left.length).toBe(count('open') + count('ahead') + count('new'));
    expect(count('new')).toBe(keptAtMost);
    store.close();
  });

  it('keeps small values by key', () => {
    const store = new JournalStore({ path: join(testFolder(), 'j.db'), ...KEEP_ALL });
    expect(store.loadState('policy')).toEqual(new Map());
    store.saveState(new Map([['policy', '{"a":1}']]));
    store.saveState(
      new Map([
        ['policy', '{"a":2}'],
        ['policy%', 'no pattern'],
        ['empty', ''],
      ]),
    );
    expect(store.loadState('policy')).toEqual(
      new Map([
        ['policy', '{"a":2}'],
        ['policy%', 'no pattern'],
      ]),
    );
    expect(store.loadState('policy%')).toEqual(new Map([['policy%', 'no pattern']]));
    store.saveState(new Map([['policy', null]]));
    expect(store.loadState('')).toEqual(
      new Map([
        ['empty', ''],
        ['policy%', 'no pattern'],
      ]),
    );
    store.close();
  });

  it('notices that its file was taken away, rather than write into nowhere', () => {
    const path = join(testFolder(), 'j.db');
    const store = new JournalStore({ path, ...KEEP_ALL });
    renameSync(path, `${path}.away`);
    expect(() => store.append('w/1', [row('lost')])).toThrow(/removed or replaced/);
    expect(() => store.saveState(new Map([['k', 'v']]))).toThrow(/removed or replaced/);
    store.close();
  });

  it('refuses a damaged file, another database, and a newer journal, and leaves each as it was', () => {
    const dir = testFolder();
    const open = (name: string) => () => new JournalStore({ path: join(dir, name), ...KEEP_ALL }).close();
    writeFileSync(join(dir, 'text.db'), 'no database '.repeat(1_000));
    expect(open('text.db')).toThrow(/not a database/);
    expect(readFileSync(join(dir, 'text.db'), 'utf8')).toBe('no database '.repeat(1_000));

    const foreign = new Database(join(dir, 'foreign.db'));
    foreign.exec('CREATE TABLE theirs (a); PRAGMA user_version = 1');
    foreign.close();
    expect(open('foreign.db')).toThrow(/not a vmpulse journal/);

    open('newer.db')();
    const newer = new Database(join(dir, 'newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    expect(open('newer.db')).toThrow(expect.objectContaining({ code: 'ERR_VMPULSE_JOURNAL_VERSION' }));
    expect(open('newer.db')).toThrow(/schema version 99.*newer\.db|newer\.db.*schema version 99/);
  });

  it('finds pages that were overwritten', () => {
    const path = join(testFolder(), 'j.db');
    const store = new JournalStore({ path, ...KEEP_ALL });
    store.append(
      'w/1',
      Array.from({ length: 500 }, (_, i) => row(`entry ${i} ${'x'.repeat(200)}`)),
    );
    store.close();
    const flat = `${path}.flat`;
    const copy = new Database(path);
    copy.exec(`VACUUM INTO '${flat}'`);
    copy.close();
    const bytes = readFileSync(flat);
    bytes.fill(0x55, 4096 * 6, 4096 * 12);
    writeFileSync(flat, bytes);
    expect(() => new JournalStore({ path: flat, ...KEEP_ALL })).toThrow(/error code 11|malformed/);
  });

  it('tells in place of a row of somebody else that it cannot be read, and gives no such row to recovery', () => {
    const path = join(testFolder(), 'j.db');
    const store = new JournalStore({ path, ...KEEP_ALL });
    const start = { type: 'action-start', actionId: 'a' } as const;
    store.append('w/1', [
      row('one', { atMs: 1 }),
      row('two', { ...start, atMs: 2 }),
      row('three', { atMs: 3 }),
    ]);
    const other = new Database(path);
    other.exec("UPDATE entries SET data = '{broken' WHERE seq = 2");
    other.close();
    const seen = ['one', expect.stringMatching(/^this entry cannot be read/), 'three'];
    expect(texts(store)).toEqual(seen);
    expect(store.query({ order: 'oldest', limit: 9 }).entries.map(({ text }) => text)).toEqual(seen);
    expect(() => store.unfinished()).toThrow(/an entry that vmpulse did not write/);
    store.close();
  });
});

describe('migration', () => {
  it('saves a copy of the old journal before it changes it', () => {
    const path = join(testFolder(), "it's.db");
    const store = new JournalStore({ path, ...KEEP_ALL });
    store.append('w/1', [row('old')]);
    store.close();
    const copy = `${path}.v${MIGRATIONS.length}.bak`;
    writeFileSync(`${copy}.partial`, 'left over by a crash');
    const db = new Database(path);
    migrate(db, path, [...MIGRATIONS, 'ALTER TABLE entries ADD COLUMN extra TEXT']);
    expect(db.prepare('SELECT text, extra FROM entries').all([])).toEqual([{ text: 'old', extra: null }]);
    expect(db.pragma('user_version')).toEqual([{ user_version: MIGRATIONS.length + 1 }]);
    db.close();
    const backup = new JournalStore({ path: copy, ...KEEP_ALL });
    expect(texts(backup)).toEqual(['old']);
    backup.close();
    expect(existsSync(`${copy}.partial`)).toBe(false);
    expect(() => new JournalStore({ path, ...KEEP_ALL })).toThrow(
      `schema version ${MIGRATIONS.length + 1}, this vmpulse knows up to ${MIGRATIONS.length}`,
    );
  });

  it('leaves the old version when a step fails', () => {
    const path = join(testFolder(), 'j.db');
    new JournalStore({ path, ...KEEP_ALL }).close();
    const db = new Database(path);
    const broken = [...MIGRATIONS, 'CREATE TABLE half (a)', 'this is no SQL'];
    expect(() => migrate(db, path, broken)).toThrow(/syntax/);
    expect(db.pragma('user_version')).toEqual([{ user_version: MIGRATIONS.length }]);
    expect(db.prepare("SELECT name FROM sqlite_master WHERE name = 'half'").all([])).toEqual([]);
    db.close();
  });
});

describe('encodeEntry', () => {
  it('bounds text and data, and keeps what follows a NUL', () => {
    const long = encodeEntry(
      entry('x'.repeat(MAX_TEXT_CHARS + 1), { data: { blob: 'y'.repeat(MAX_DATA_CHARS) } }),
    );
    expect(long.text).toHaveLength(MAX_TEXT_CHARS + 1);
    expect(JSON.parse(long.data)).toEqual({ dropped: expect.stringMatching(/^\d+ characters of data$/) });
    const path = join(testFolder(), 'j.db');
    const store = new JournalStore({ path, ...KEEP_ALL });
    store.append('w/1', [row('before\0after', { data: { text: 'a\0b' } })]);
    expect(store.read({ limit: 1 })[0]).toMatchObject({ text: 'before\\0after', data: { text: 'a\0b' } });
    store.close();
  });

  it('leaves data out that is no JSON, and says why', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const { text, data } = encodeEntry(entry('t', { data: circular }));
    expect(text).toBe('t');
    expect(JSON.parse(data)).toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      why: expect.stringMatching(/circular/),
    });
  });
});
