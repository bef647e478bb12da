import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { SqliteJournal } from '../../../src/runtime/journal/sqlite-journal.js';
import { testFolder } from '../../fixtures/folder.js';
import { entry, openHere, SOON } from './helpers.js';

const PATIENCE = { timeout: 20_000, interval: 20 };
const GARBAGE = 'no database '.repeat(1_000);

function lostOf({ availability }: SqliteJournal): string | undefined {
  return availability.available ? availability.lost : undefined;
}

/** Damaged journals beside it, without their logs. */
function damagedOf(path: string): string[] {
  return readdirSync(dirname(path)).filter((name) => /\.damaged-\d{8}T\d{6}Z(\.\d+)?$/.test(name));
}

async function texts(journal: SqliteJournal): Promise<string[]> {
  return (await journal.read({ limit: 10_000 })).map(({ text }) => text);
}

/** A journal whose file is larger than what SQLite keeps of it in memory. */
async function largeJournal(path: string): Promise<SqliteJournal> {
  const journal = await openHere(path);
  const [a, b] = ['x'.repeat(900), new Map([['policy/host', '{"kept":true}']])];
  for (let i = 0; i < 8; i++)
    await journal.append(
      Array.from({ length: 2_000 }, (_, n) =>
        entry(`n${i * 2_000 + n}`, { vm: `a/vm-${n}`, atMs: (n * 7_919) % 100_000, data: { a } }),
      ),
      SOON,
    );
  await journal.saveState(b, SOON);
  return journal;
}

/** Overwrites a part of the file, in shares of its size. */
function scribble(path: string, from: number, until: number): void {
  const { size } = statSync(path);
  const [start, end] = [from, until].map((share) => Math.floor((size * share) / 4096) * 4096);
  if (start === undefined || end === undefined) throw new Error('no place');
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(end - start, 0x55), 0, end - start, start);
  closeSync(file);
}

describe('a damaged journal', () => {
  it('is moved aside at the first start, with everything that it was, and recovery learns of the loss', async () => {
    const path = join(testFolder(), 'journal.db');
    writeFileSync(path, GARBAGE);
    const journal = await openHere(path);
    const [aside] = damagedOf(path);
    if (aside === undefined) throw new Error('it was not moved aside');
    expect(readFileSync(join(dirname(path), aside), 'utf8')).toBe(GARBAGE);
    expect(lostOf(journal)).toContain(aside);
    await journal.append([entry('goes on')], SOON);
    expect(await texts(journal)).toEqual(['goes on']);
    await journal.close();
    const again = await openHere(path);
    expect(lostOf(again), 'nobody has accepted that yet').toContain(
      'is not the journal that was here before',
    );
    await again.acceptLoss(SOON);
    expect(lostOf(again)).toBeUndefined();
  });

  it('is found when it was cut short', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await largeJournal(path);
    await journal.close();
    truncateSync(path, Math.floor(statSync(path).size / 2));
    const again = await openHere(path);
    expect(lostOf(again)).toContain('.damaged-');
    expect(damagedOf(path)).toHaveLength(1);
    await again.append([entry('after')], SOON);
    expect(await texts(again)).toEqual(['after']);
  });

  it('is found when it is read, while in use; what is asked next is answered by a new one, with the state kept', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await largeJournal(path);
    const changes: string[] = [];
    journal.onAvailability((now) => changes.push(now.available ? (now.lost ?? 'well') : 'unavailable'));
    scribble(path, 0.2, 0.7);
    await expect(journal.read({ afterSeq: 0, limit: 10_000 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL',
      message: expect.stringMatching(/journal\.db was damaged \(.*\) and is now .*\.damaged-/),
    });
    await vi.waitFor(() => expect(lostOf(journal)).toContain('.damaged-'), PATIENCE);
    expect(changes.at(-1)).toContain('is not the journal that was here before');
    await journal.append([entry('after')], SOON);
    expect(await texts(journal)).toEqual(['after']);
    expect(await journal.loadState('policy/')).toEqual(new Map([['policy/host', '{"kept":true}']]));
  });

  it('is found when it is written, and what was to be written is in the new one', async () => {
    const path = join(testFolder(), 'journal.db');
    const journal = await largeJournal(path);
    scribble(path, 0.1, 1);
    const more = Array.from({ length: 500 }, (_, n) =>
      entry(`more ${n}`, { vm: `a/vm-${n * 3}`, atMs: n * 191 }),
    );
    await journal.append(more, SOON).catch(() => {});
    await vi.waitFor(() => expect(lostOf(journal)).toContain('.damaged-'), PATIENCE);
    await vi.waitFor(async () => expect(await texts(journal)).toHaveLength(500), PATIENCE);
  });

  it('is not moved aside over and over: a disk that damages every journal is not filled with them', async () => {
    const dir = testFolder();
    const path = join(dir, 'journal.db');
    for (let n = 1; n <= 5; n++) writeFileSync(`${path}.damaged-20260101T00000${n}Z`, 'old');
    writeFileSync(path, GARBAGE);
    const journal = await openHere(path);
    expect(journal.availability).toMatchObject({
      available: false,
      error: {
        code: 'ERR_VMPULSE_JOURNAL',
        message: expect.stringMatching(/5 damaged journals lie beside it/),
      },
    });
    expect(existsSync(path)).toBe(true);
    await expect(journal.append([entry('kept')], SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_JOURNAL',
    });
    for (const name of damagedOf(path)) renameSync(join(dir, name), join(dir, `away-${name}`));
    await vi.waitFor(() => expect(journal.availability.available).toBe(true), PATIENCE);
    expect(await texts(journal)).toEqual(['kept']);
  });
});
