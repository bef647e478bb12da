import { describe, expect, it } from 'vitest';
import { cpuShares, cpuTicksIn, loadIn, memoryIn } from '../../../src/guest-agent/proc-text.js';

describe('what /proc says of a guest', () => {
  it('gives shares of processor time', () => {
    const before = cpuTicksIn('cpu  100 0 100 800 50 0 0 0 0 0\ncpu0 1\ncpu1 1\n');
    const after = cpuTicksIn('cpu  200 50 150 1000 40 25 25 50 0 0\ncpu0 1\ncpu1 1\n');
    if (before === undefined || after === undefined) throw new Error('not read');
    expect(after.cpus).toBe(2);
    // 250 busy, 200 idle, 50 stolen; I/O wait went back, which is no time.
    expect(cpuShares(before, after)).toEqual({ usedPercent: 50, ioWaitPercent: 0, stealPercent: 10 });
    expect(cpuShares(before, before)).toEqual({ usedPercent: 0, ioWaitPercent: 0, stealPercent: 0 });
  });

  it.each([
    '',
    'cpu 1 2',
    'cpu  99999999999999999999 1 1 1',
    'cpu  a b c d',
  ])('is not read from %j', (text) => {
    expect(cpuTicksIn(text)).toBeUndefined();
  });

  it('reads memory and load, and nothing from other texts', () => {
    expect(memoryIn('MemTotal: 100 kB\nMemFree: 10 kB\n')?.availableBytes).toBe(10 * 1024);
    expect(memoryIn('MemTotal: 10 kB\nMemAvailable: 100 kB\n')?.availableBytes).toBe(10 * 1024);
    expect(memoryIn('MemTotal: 0 kB\nMemFree: 0 kB\n')).toBeUndefined();
    expect(memoryIn('MemTotal: many kB\n')).toBeUndefined();
    expect(loadIn('x\n0.01 0.02 0.03 1/2 3\n')).toEqual([0.01, 0.02, 0.03]);
    expect(loadIn('0.01 0.02 1/2 3\n')).toBeUndefined();
  });
});
