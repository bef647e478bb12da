import { describe, expect, it } from 'vitest';
import { EventStream } from '../../../src/engine/event-stream.js';
import type { EngineEvent } from '../../../src/engine/probe-engine.js';
import { TURN_MS, Turns } from '../../../src/engine/turns.js';

/** Work of a consumer: the processor is busy for as long. */
function work(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Resolves once the event loop has come round often enough for `done`. */
async function loopUntil(done: () => boolean): Promise<number> {
  let rounds = 0;
  while (!done()) {
    await new Promise(setImmediate);
    rounds += 1;
  }
  return rounds;
}

describe('Turns', () => {
  it('hands everything over in order, and lets the event loop come round meanwhile', async () => {
    const handed: number[] = [];
    const turns = new Turns<number>((item) => {
      handed.push(item);
      work(TURN_MS / 10);
    });
    turns.push(numbers(0, 100));
    turns.push(numbers(100, 200));
    const rounds = await loopUntil(() => handed.length === 200);
    expect(handed).toEqual(numbers(0, 200));
    expect(rounds).toBeGreaterThanOrEqual(5);
  });

  it('times what follows from an answer, not only the answer', async () => {
    let followed = 0;
    const turns = new Turns<(value: null) => void>((resolve) => resolve(null));
    const answers = numbers(0, 200).map(() => new Promise<null>((resolve) => turns.push([resolve])));
    for (const answer of answers)
      void answer.then(() => {
        work(TURN_MS / 10);
        followed += 1;
      });
    expect(await loopUntil(() => followed === 200)).toBeGreaterThanOrEqual(5);
  });

  it('drops what waits at the end', async () => {
    const handed: number[] = [];
    const turns = new Turns<number>((item) => {
      handed.push(item);
      work(TURN_MS);
    });
    turns.push(numbers(0, 1_000));
    await new Promise(setImmediate);
    turns.end();
    const { length } = handed;
    expect(length).toBeLessThan(1_000);
    for (let round = 0; round < 5; round++) await new Promise(setImmediate);
    expect(handed.length).toBe(length);
  });
});

describe('EventStream', () => {
  const due = (handle: number): EngineEvent => ({ type: 'due', handle, epoch: 1, deadlineMs: 0 });

  it('gives what came together in batches, in order, and lets the event loop come round between them', async () => {
    const events = numbers(0, 2_000).map(due);
    const stream: EventStream = new EventStream(
      () => stream.push(events.splice(0)),
      () => {},
      undefined,
    );
    let rounds = 0;
    let over = false;
    const counting = (async () => {
      while (!over) {
        await new Promise(setImmediate);
        rounds += 1;
      }
    })();
    const seen: number[] = [];
    for await (const batch of stream) {
      seen.push(...batch.map(({ handle }) => handle));
      work(TURN_MS / 2);
      if (seen.length === 2_000) break;
    }
    over = true;
    await counting;
    expect(seen).toEqual(numbers(0, 2_000));
    expect(rounds).toBeGreaterThanOrEqual(4);
  });

  it('lets the event loop come round too where the engine has more to tell each time that it is asked', async () => {
    let handle = 0;
    const stream: EventStream = new EventStream(
      () => stream.push([due(handle++)]),
      () => {},
      undefined,
    );
    let isOver = false;
    setImmediate(() => {
      isOver = true;
    });
    // Would go on for ever if it went on in this turn.
    for await (const [event] of stream) {
      expect(event?.type).toBe('due');
      work(TURN_MS / 10);
      if (isOver) break;
    }
    expect(handle).toBeGreaterThan(0);
  });

  it('takes of a list only what it gives, and gives it in order beside what comes meanwhile', async () => {
    const taken: number[] = [];
    const list = (from: number, to: number) => ({
      length: to - from,
      slice(first: number, end: number) {
        const some = numbers(from + first, Math.min(from + end, to));
        taken.push(...some);
        return some.map(due);
      },
    });
    const stream = new EventStream(
      () => {},
      () => {},
      undefined,
    );
    const first = stream.next();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    stream.push(list(0, 100));
    stream.push(list(100, 110));
    const { value = [] } = await first;
    expect(taken).toEqual(numbers(0, value.length));
    const seen = value.map(({ handle }: EngineEvent) => handle);
    while (seen.length < 110)
      seen.push(...((await stream.next()).value ?? []).map(({ handle }: EngineEvent) => handle));
    expect(seen).toEqual(numbers(0, 110));
    stream.end();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
