import { expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot, type Saved } from '../../../src/engine/portable/snapshot.js';
import { errorOf } from './support.js';

const SAMPLE: Saved = new Map([
  [
    0xffff_ffff_ffff_fffen,
    {
      known: 'failed',
      reason: 'bad-status',
      consecutiveOk: 0,
      consecutiveFailed: 4,
      streakStartMs: 1_700_000_000_000,
      lastAtMs: 1_700_000_004_000,
      lastOkMs: 0,
    },
  ],
  [
    7n,
    { known: 'unknown', consecutiveOk: 0, consecutiveFailed: 0, streakStartMs: 0, lastAtMs: 0, lastOkMs: 0 },
  ],
]);

it('gives back what was written', async () => {
  expect(decodeSnapshot(await encodeSnapshot(SAMPLE))).toEqual(SAMPLE);
  expect(decodeSnapshot(await encodeSnapshot([])).size).toBe(0);
});

it('lets the event loop come round between parts, and takes each target when it writes it', async () => {
  const [, saved] = [...SAMPLE][1] ?? [];
  if (saved === undefined) throw new Error('the sample has two');
  const many = 3_000;
  let rounds = 0;
  let isOver = false;
  const counting = (async () => {
    while (!isOver) {
      await new Promise(setImmediate);
      rounds += 1;
    }
  })();
  const roundsAt: number[] = [];
  const targets = (function* () {
    for (let n = 0; n < many; n += 1) {
      roundsAt.push(rounds);
      yield [BigInt(n), { ...saved, consecutiveOk: n }] as const;
    }
  })();
  const snapshot = decodeSnapshot(await encodeSnapshot(targets));
  isOver = true;
  await counting;
  expect(roundsAt[0], 'begun in the turn of the call').toBe(0);
  expect(new Set(roundsAt).size).toBeGreaterThanOrEqual(5);
  expect(Array.from(snapshot, ([hash, { consecutiveOk }]) => [Number(hash), consecutiveOk])).toEqual(
    Array.from({ length: many }, (_, n) => [n, n]),
  );
});

it('finds every flipped bit and every cut', async () => {
  const bytes = await encodeSnapshot(SAMPLE);
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(errorOf(() => decodeSnapshot(damaged)).code, `byte ${at}`).toBe('ERR_VMPULSE_ARGUMENT');
    expect(errorOf(() => decodeSnapshot(bytes.subarray(0, at))).code, `cut at ${at}`).toBe(
      'ERR_VMPULSE_ARGUMENT',
    );
  }
});

it.each([
  ['nothing', ''],
  ['another format', 'VMPSNAP\u0001and so on'],
  ['another version', 'vmpulse-portable-snapshot 2 0\n[]'],
])('refuses %s', (_name, text) => {
  expect(errorOf(() => decodeSnapshot(Buffer.from(text)))).toMatchObject({
    code: 'ERR_VMPULSE_ARGUMENT',
    message: 'this is no snapshot of the portable engine of this version',
  });
});
