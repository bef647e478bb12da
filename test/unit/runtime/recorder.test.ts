import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { silentLogger } from '../../../src/model/logger.js';
import type { JournalEntry } from '../../../src/model/ports.js';
import { MemoryJournal, type ObservableJournal, openJournal } from '../../../src/runtime/journal/index.js';
import { Recorder } from '../../../src/runtime/recorder.js';

function entry(text: string, type: JournalEntry['type'] = 'transition'): Omit<JournalEntry, 'atMs'> {
  return { vm: 'test/web', type, actionId: null, text, data: {} };
}

function recorderOf(journal: ObservableJournal): Recorder {
  return new Recorder({ journal, clock: systemClock, logger: silentLogger, deadlineMs: 20_000 });
}

it('loses nothing of what a whole fleet says in one turn, and keeps its order', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-recorder-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const journal = await openJournal({ path: join(dir, 'journal.db'), maxBacklogBytes: 512 * 1024 });
  onTestFinished(() => journal.close());
  const recorder = recorderOf(journal);
  const count = 9000;
  for (let i = 0; i < count; i++) recorder.note(entry(`${i}`));
  await recorder.durable(entry('action', 'action-start'));
  const entries = await journal.read({ limit: 10_000 });
  expect(entries.map(({ text }) => text)).toEqual([
    ...Array.from({ length: count }, (_, i) => `${i}`),
    'action',
  ]);
});

it('says why an entry is not durable, and goes on recording', async () => {
  class FailingOnce extends MemoryJournal {
    failed = false;
    override append(...args: Parameters<MemoryJournal['append']>): Promise<void> {
      if (this.failed) return super.append(...args);
      this.failed = true;
      return Promise.reject(new VmpulseError('ERR_VMPULSE_JOURNAL', 'the disk is full'));
    }
  }
  const journal = new FailingOnce();
  const recorder = recorderOf(journal);
  await expect(recorder.durable(entry('first'))).rejects.toMatchObject({ code: 'ERR_VMPULSE_JOURNAL' });
  await recorder.durable(entry('second'));
  expect((await journal.read({ limit: 10 })).map(({ text }) => text)).toEqual(['second']);
});

it('is settled once what was noted before is written, also while more comes', async () => {
  class Busy extends MemoryJournal {
    override async append(...args: Parameters<MemoryJournal['append']>): Promise<void> {
      await super.append(...args);
      await new Promise(setImmediate);
      if (args[0].length > 0) recorder.note(entry('and another'));
    }
  }
  const journal = new Busy();
  const recorder: Recorder = recorderOf(journal);
  recorder.note(entry('first'));
  await recorder.settled();
  expect((await journal.read({ limit: 10 })).map(({ text }) => text)).toContain('first');
});

it('keeps all of a batch in its order where the data of one is no JSON, and says which', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-recorder-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const told: object[] = [];
  const logger = { ...silentLogger, error: (facts: object) => void told.push(facts) };
  const journal = await openJournal({ path: join(dir, 'journal.db'), logger });
  onTestFinished(() => journal.close());
  const recorder = recorderOf(journal);
  recorder.note(entry('before'));
  recorder.note({ ...entry('bad'), data: { count: 1n } });
  await recorder.durable(entry('after', 'action-start'));
  const entries = await journal.read({ limit: 10 });
  expect(entries.map(({ text }) => text)).toEqual(['before', 'bad', 'after']);
  expect(entries[1]?.data).toMatchObject({
    code: 'ERR_VMPULSE_ARGUMENT',
    why: expect.stringMatching(/BigInt/),
  });
  expect(told).toMatchObject([{ code: 'ERR_VMPULSE_ARGUMENT', text: 'bad' }]);
});

it('says that the wall clock was set, before what comes next, and nothing of a clock that is adjusted', async () => {
  const journal = new MemoryJournal();
  let [wallMs, monotonicMs] = [1_000_000, 0];
  const clock = { ...systemClock, now: () => wallMs, monotonic: () => monotonicMs };
  const recorder = new Recorder({ journal, clock, logger: silentLogger, deadlineMs: 20_000 });
  recorder.note(entry('first'));
  wallMs += 10_100;
  monotonicMs += 10_000;
  recorder.note(entry('adjusted'));
  wallMs -= 3_600_000;
  recorder.note(entry('set'));
  wallMs += 60_000;
  recorder.noteClock();
  await recorder.settled();
  const entries = await journal.read({ limit: 10 });
  expect(entries.map(({ text }) => text)).toEqual([
    'first',
    'adjusted',
    'the clock was set back by 3600 s',
    'set',
    'the clock was set forward by 60 s',
  ]);
  expect(entries[2]).toMatchObject({
    type: 'input',
    vm: null,
    data: { event: { type: 'clock-set', byMs: -3_600_000 } },
  });
});
