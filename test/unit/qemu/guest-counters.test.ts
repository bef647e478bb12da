import { describe, expect, it } from 'vitest';
import { attach, SOON } from './session-bench.js';

const stats = (rd: number, wr: number, flush = 0) => ({
  rd_operations: rd,
  wr_operations: wr,
  flush_operations: flush,
});

describe('counters of the guest', () => {
  it('sums the requests of each disk', async () => {
    const { session, qemu } = await attach();
    qemu.on('query-blockstats', () => [
      { device: 'disk0', stats: stats(10, 5, 2) },
      { device: '', 'node-name': 'node7', stats: stats(1, 0) },
    ]);
    expect(await session.counters(SOON)).toEqual([
      { name: 'disk disk0', value: 17 },
      { name: 'disk node7', value: 1 },
    ]);
  });

  it.each([
    ['of another shape', () => ({ strange: true })],
    ['that is an error', () => Promise.reject(new Error('no'))],
  ])('an answer %s counts nothing', async (_, answer) => {
    const { session, qemu } = await attach();
    qemu.on('query-blockstats', answer);
    expect(await session.counters(SOON)).toEqual([]);
  });

  it('a monitor that hangs costs its deadline and no more', async () => {
    const { session } = await attach();
    expect(await session.counters({ deadlineMs: 100 })).toEqual([]);
  });
});
