import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import Database from 'libsql';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SqliteJournal } from '../../../src/runtime/journal/sqlite-journal.js';
import { testFolder } from '../../fixtures/folder.js';
import { entry, openHere, SOON } from './helpers.js';

const PATIENCE = { timeout: 20_000, interval: 20 };
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

async function texts(journal: SqliteJournal): Promise<string[]> {
  return (await journal.read({ limit: 10_000 })).map(({ text }) => text);
}

/** Runs `work` and gives the Worker that it started. */
async function workerOf<T>(work: () => Promise<T>): Promise<{ result: T; worker: Worker }> {
  const started: Worker[] = [];
  const note = (worker: Worker) => started.push(worker);
  process.on('worker', note);
  try {
    const result = await work();
    const [worker] = started;
    if (!worker) throw new Error('no Worker was started');
    return { result, worker };
  } finally {
    process.off('worker', note);
  }
}

describe('SqliteJournal', () => {
  it('appends, reads, keeps state, and has all of it after it was closed and opened', async () => {
    const path = join(testFolder(), 'journal.db');
    const first = await openHere(path);
    await first.append([entry('one'), entry('two', { type: 'action-start', actionId: 'a' })], SOON);
    await first.saveState(
      new Map([
        ['policy/a', 'p1'],
        ['policy/b', 'p2'],
        ['other', 'o'],
      ]),
      SOON,
    );
    await first.saveState(
      new Map([
        ['policy/b', null],
        ['policy/c', 'p3'],
      ]),
      SOON,
    );
    await first.close();
    const again = await openHere(path);
    expect(await texts(again)).toEqual(['one', 'two']);
    expect((await again.unfinished()).map(({ text }) => text)).toEqual(['two']);
    expect(await again.loadState('policy/')).toEqual(
      new Map([
        ['policy/a', 'p1'],
        ['policy/c', 'p3'],
      ]),
    );
    expect(await again.loadState('engine')).toEqual(new Map());
    expect(await again.read({ afterSeq: 1, limit: 1 })).toMatchObject([{ seq: 2, text: 'two' }]);
  });

  it('commits appends of one moment together, in the order of the calls', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    const names = Array.from({ length: 300 }, (_, i) => `n${i}`);
    await Promise.all(names.map((name) => journal.append([entry(name)], SOON)));
    expect(await texts(journal)).toEqual(names);
    const file = new Database(path);
    const [writer] = file.prepare('SELECT batch FROM writer').all([]);
    file.close();
    const commits = Number(/\/(\d+)$/.exec((writer as { batch: string }).batch)?.[1]);
    expect(commits).toBeLessThan(10);
  });

  it('lets entries that nobody waits for wait for others, and has them written in the end', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    const lazy = { ...SOON, lazy: true };
    const commits = () => {
      const file = new Database(path);
      const [writer] = file.prepare('SELECT batch FROM writer').all([]);
      file.close();
      return Number(/\/(\d+)$/.exec((writer as { batch: string }).batch)?.[1]);
    };
    const first = journal.append([entry('lazy')], lazy);
    await journal.append([entry('awaited')], SOON);
    await first;
    expect(commits(), 'they share a commit').toBe(1);
    const second = journal.append([entry('alone')], lazy);
    await journal.append([], SOON);
    await second;
    await journal.append([entry('by itself')], lazy);
    expect(await texts(journal)).toEqual(['lazy', 'awaited', 'alone', 'by itself']);
  });

  it('has an entry whose append resolved when the process is killed right after', async () => {
    const path = join(testFolder(), 'journal.db');
    const child = spawn(process.execPath, [fixture('append-then-wait.mjs'), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const journal = await openHere(path);
    expect(await journal.unfinished()).toMatchObject([{ actionId: 'a-1', text: 'reset begins' }]);
  });

  it('lets a process end that neither closes it nor waits for it, with everything written', async () => {
    for (let i = 0; i < 5; i++) {
      const path = join(testFolder(), 'journal.db');
      const child = spawn(process.execPath, [fixture('exit-with-open-journal.mjs'), path], {
        stdio: 'ignore',
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(await texts(await openHere(path))).toHaveLength(501);
    }
  });

  it('forgets old entries some time after a write', async () => {
    const journal = await openHere(join(testFolder(), 'journal.db'), { maxBytes: 0 });
    await journal.append(
      Array.from({ length: 1_700 }, (_, i) => entry(`n${i}`)),
      SOON,
    );
    await vi.waitFor(async () => expect(await journal.read({ limit: 5_000 })).toHaveLength(1_000), PATIENCE);
    expect((await texts(journal)).at(-1)).toBe('n1699');
  });

  it('answers queries page by page, and refuses a cursor that is none', async () => {
    const journal = await openHere(join(testFolder(), 'journal.db'));
    await journal.append(
      Array.from({ length: 5 }, (_, i) => entry(`n${i}`)),
      SOON,
    );
    const first = await journal.query({ order: 'newest', limit: 3 });
    expect(first.entries.map(({ text }) => text)).toEqual(['n4', 'n3', 'n2']);
    const second = await journal.query({ order: 'newest', limit: 3, cursor: first.next ?? '' });
    expect(second).toMatchObject({ entries: [{ text: 'n1' }, { text: 'n0' }], next: null });
    await expect(journal.query({ order: 'newest', limit: 3, cursor: "1' --" })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
    expect(journal.availability.available).toBe(true);
  });

  it('refuses everything after close, which may be called twice and writes what waits', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    const written = journal.append([entry('last')], SOON);
    await Promise.all([journal.close(), journal.close()]);
    await written;
    const closed = expect.objectContaining({ code: 'ERR_VMPULSE_CLOSED' });
    await expect(journal.append([entry('late')], SOON)).rejects.toEqual(closed);
    await expect(journal.read({ limit: 1 })).rejects.toEqual(closed);
    await expect(journal.unfinished()).rejects.toEqual(closed);
    await expect(journal.saveState(new Map([['a', 'b']]), SOON)).rejects.toEqual(closed);
    await expect(journal.loadState('a')).rejects.toEqual(closed);
    expect(await texts(await openHere(path))).toEqual(['last']);
  });

  it('lets the caller withdraw the wait; the entry is written all the same', async () => {
    const journal = await openHere(join(testFolder(), 'journal.db'));
    const given = AbortSignal.abort();
    await expect(journal.append([entry('kept')], { ...SOON, signal: given })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ABORTED',
    });
    await journal.append([entry('next')], SOON);
    expect(await texts(journal)).toEqual(['kept', 'next']);
    expect(journal.availability.available).toBe(true);
  });
});

describe('SqliteJournal in trouble', () => {
  it('refuses at the deadline while another process holds the file, and writes once when it lets go', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    const changes: boolean[] = [];
    journal.onAvailability(({ available }) => changes.push(available));
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(journal.append([entry('first')], { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL',
      message: expect.stringContaining(path),
    });
    expect(journal.availability.available).toBe(false);
    await expect(journal.append([entry('second')], SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL',
    });
    other.exec('COMMIT');
    other.close();
    await vi.waitFor(() => expect(journal.availability.available).toBe(true), PATIENCE);
    await journal.append([entry('third')], SOON);
    expect(await texts(journal)).toEqual(['first', 'second', 'third']);
    expect(changes).toEqual([false, true]);
  });

  it('names the holder of a lock that outlasts its patience', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    const other = new Database(path);
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE');
    await expect(journal.append([entry('first')], SOON)).rejects.toMatchObject({
      message: expect.stringMatching(/locked by another process/),
    });
    other.exec('COMMIT');
    await vi.waitFor(async () => expect(await texts(journal)).toEqual(['first']), PATIENCE);
  });

  it('shares the file with a second writer', async () => {
    const path = join(testFolder(), 'journal.db');
    const [a, b] = [await openHere(path), await openHere(path)];
    const names = (side: string) => Array.from({ length: 50 }, (_, i) => `${side}${i}`);
    const write = async (journal: SqliteJournal, side: string) => {
      for (const name of names(side)) await journal.append([entry(name)], SOON);
    };
    await Promise.all([write(a, 'a'), write(b, 'b')]);
    const all = await texts(a);
    expect(all.filter((text) => text.startsWith('a'))).toEqual(names('a'));
    expect(all.filter((text) => text.startsWith('b'))).toEqual(names('b'));
    expect(all).toHaveLength(100);
  });

  it('starts its Worker again after that ended', async () => {
    const { result: journal, worker } = await workerOf(() => openHere(join(testFolder(), 'journal.db')));
    await journal.append([entry('before')], SOON);
    await worker.terminate();
    await journal.append([entry('after')], SOON);
    expect(await texts(journal)).toEqual(['before', 'after']);
  });

  it('writes once what was committed when the answer got lost with its Worker', async () => {
    const { result: journal, worker } = await workerOf(() => openHere(join(testFolder(), 'journal.db')));
    // The answer to the next request is swallowed; the Worker, idle by then, ends instead.
    const emit = worker.emit.bind(worker);
    worker.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event !== 'message') return emit(event, ...args);
      void worker.terminate();
      return true;
    };
    const names = Array.from({ length: 1_000 }, (_, i) => `n${i}`);
    const append = journal.append(
      names.map((name) => entry(name)),
      SOON,
    );
    await expect(append).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL',
      message: expect.stringMatching(/thread ended/),
    });
    await vi.waitFor(() => expect(journal.availability.available).toBe(true), PATIENCE);
    expect(await texts(journal)).toEqual(names);
  });

  it('opens a new file where its own was taken away, and says that it did', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    await journal.append([entry('old')], SOON);
    const changes: boolean[] = [];
    journal.onAvailability(({ available }) => changes.push(available));
    for (const suffix of ['', '-wal', '-shm']) renameSync(path + suffix, `${path}.away${suffix}`);
    await expect(journal.append([entry('new')], SOON)).rejects.toMatchObject({
      message: expect.stringMatching(/removed or replaced/),
    });
    await vi.waitFor(() => expect(changes).toEqual([false, true]), PATIENCE);
    expect(await texts(journal)).toEqual(['new']);
  });

  it('tells a journal that is gone from a first start, until a person accepts it', async () => {
    const path = join(testFolder(), 'journal.db');
    const lostAt = async () => {
      const journal = await openHere(path);
      const { availability } = journal;
      await journal.close();
      return availability.available ? (availability.lost ?? 'nothing') : 'unavailable';
    };
    expect(await lostAt()).toBe('nothing');
    expect(await lostAt(), 'it is there when it is opened again').toBe('nothing');
    rmSync(path);
    expect(await lostAt()).toContain(`${path} is not the journal that was here before`);
    expect(await lostAt(), 'nobody has said anything yet').not.toBe('nothing');
    const journal = await openHere(path);
    await journal.acceptLoss(SOON);
    expect(journal.availability).not.toHaveProperty('lost');
    await journal.close();
    expect(await lostAt()).toBe('nothing');
  });

  it('tells when its file is replaced under it, and when the right one is back', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await openHere(path);
    await journal.append([entry('old')], SOON);
    const move = (from: string, to: string) => {
      for (const suffix of ['', '-wal', '-shm'])
        if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
    };
    const lost = () => {
      const { availability } = journal;
      return availability.available ? availability.lost !== undefined : undefined;
    };
    move(path, `${path}.away`);
    await journal.append([entry('new')], SOON).catch(() => {});
    await vi.waitFor(() => expect(lost()).toBe(true), PATIENCE);
    move(path, `${path}.new`);
    move(`${path}.away`, path);
    await journal.append([entry('newer')], SOON).catch(() => {});
    await vi.waitFor(() => expect(lost()).toBe(false), PATIENCE);
    expect(await texts(journal)).toEqual(['old', 'newer']);
  });

  it('will not open the journal of a newer vmpulse', async () => {
    const path = join(testFolder(), 'journal.db');
    await (await openHere(path)).close();
    const file = new Database(path);
    file.exec('PRAGMA user_version = 99');
    file.close();
    await expect(SqliteJournal.open({ path })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL_VERSION',
      message: expect.stringContaining(path),
    });
  });

  it('keeps a bounded backlog and records how much it had to give up', async () => {
    const dir = join(testFolder(), 'later');
    const journal = await openHere(join(dir, 'journal.db'), { maxBacklogBytes: 4_000 });
    expect(journal.availability).toMatchObject({
      available: false,
      error: { message: expect.stringMatching(/folder exists/) },
    });
    const pad = 'x'.repeat(900);
    const append = async (i: number) =>
      journal
        .append([entry(`n${i} ${pad}`, { atMs: i })], SOON)
        .catch((error: { code: string }) => error.code);
    for (let i = 0; i < 10; i++) expect(await append(i)).toBe('ERR_VMPULSE_JOURNAL');
    mkdirSync(dir);
    await vi.waitFor(() => expect(journal.availability.available).toBe(true), PATIENCE);
    const [lost, ...kept] = await journal.read({ limit: 100 });
    expect(lost).toMatchObject({ type: 'daemon', data: { count: 7, firstAtMs: 0, lastAtMs: 6 } });
    expect(lost?.text).toMatch(/^7 journal entries could not be kept/);
    expect(kept.map(({ atMs }) => atMs)).toEqual([7, 8, 9]);
  });

  it('loses nothing on a full disk: refuses, stays readable, and writes all of it once there is room', async (ctx) => {
    const dir = testFolder();
    const script = `mount -t tmpfs -o size=768k tmpfs "$1" && exec "$2" "$3" "$1"`;
    const argv = ['--mount', 'sh', '-c', script, 'sh', dir, process.execPath, fixture('full-disk.mjs')];
    const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk));
    const exit = await once(child, 'close').catch((error: Error) =>
      ctx.skip(`unshare cannot be run: ${error.message}`),
    );
    if (/Operation not permitted|permission denied/i.test(err))
      ctx.skip(`no right to mount a small file system: ${err.trim()}`);
    expect({ exit, err }).toEqual({ exit: [0, null], err: '' });
    const report = JSON.parse(out);
    expect(report.durable.length).toBeGreaterThan(5);
    expect(report.refused).toHaveLength(5);
    expect(report.error).toEqual({
      code: 'ERR_VMPULSE_JOURNAL',
      message: expect.stringMatching(/no space left to write .*journal\.db/),
    });
    expect(report.whileFull.available).toBe(false);
    expect(report.whileFull.readable).toEqual(report.durable);
    expect(report.stored).toEqual([...report.durable, ...report.refused, 'after']);
  });
});
