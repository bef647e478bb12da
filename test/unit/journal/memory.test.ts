import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../src/runtime/journal/memory.js';
import { entry, SOON } from './helpers.js';

describe('MemoryJournal', () => {
  it('reads as the journal on disk does', async () => {
    const journal = new MemoryJournal();
    await journal.append([entry('1', { vm: 'a/x' }), entry('2', { vm: 'a/y' })], SOON);
    await journal.append([entry('3', { vm: 'a/x' }), entry('4', { vm: 'a/x' })], SOON);
    const texts = async (query: Parameters<MemoryJournal['read']>[0]) =>
      (await journal.read(query)).map(({ text }) => text);
    expect(await texts({ limit: 2 })).toEqual(['3', '4']);
    expect(await texts({ limit: 2, afterSeq: 1 })).toEqual(['2', '3']);
    expect(await texts({ limit: 0 })).toEqual([]);
  });

  it('keeps a bounded number of entries, the newest', async () => {
    const journal = new MemoryJournal({ maxEntries: 100 });
    for (let i = 1; i <= 1_000; i++) await journal.append([entry(`n${i}`)], SOON);
    const kept = await journal.read({ limit: 1_000 });
    expect(kept.length).toBeGreaterThanOrEqual(100);
    expect(kept.length).toBeLessThanOrEqual(125);
    expect(kept.at(-1)).toMatchObject({ seq: 1_000, text: 'n1000' });
  });

  it('keeps a copy of its own', async () => {
    const journal = new MemoryJournal();
    const data = { list: ['a'] };
    await journal.append([entry('t', { data })], SOON);
    data.list.push('b');
    expect((await journal.read({ limit: 1 }))[0]?.data).toEqual({ list: ['a'] });
  });

  it('finds actions that did not end, and keeps state', async () => {
    const journal = new MemoryJournal();
    const step = (type: 'action-start' | 'action-end', actionId: string) => entry(type, { type, actionId });
    await journal.append(
      [step('action-start', 'a'), step('action-start', 'b'), step('action-end', 'a')],
      SOON,
    );
    expect((await journal.unfinished()).map(({ actionId }) => actionId)).toEqual(['b']);
    expect(await journal.loadState('k')).toEqual(new Map());
    await journal.saveState(
      new Map([
        ['k/1', 'v'],
        ['l', 'w'],
        ['k/2', 'x'],
      ]),
      SOON,
    );
    await journal.saveState(new Map([['k/2', null]]), SOON);
    expect(await journal.loadState('k/')).toEqual(new Map([['k/1', 'v']]));
  });

  it('refuses everything after close', async () => {
    const journal = new MemoryJournal();
    await journal.close();
    const closed = { code: 'ERR_VMPULSE_CLOSED' };
    await expect(journal.append([entry('t')], SOON)).rejects.toMatchObject(closed);
    await expect(journal.read({ limit: 1 })).rejects.toMatchObject(closed);
    await expect(journal.unfinished()).rejects.toMatchObject(closed);
    await expect(journal.saveState(new Map([['k', 'v']]), SOON)).rejects.toMatchObject(closed);
    await expect(journal.loadState('k')).rejects.toMatchObject(closed);
  });
});
