import { describe, expect, it } from 'vitest';
import { limitRequests } from '../../../src/daemon/access/limits.js';
import { RateLimit } from '../../../src/daemon/access/rate-limit.js';

describe('RateLimit', () => {
  it('gives each key its burst, and then what comes back with time', () => {
    let nowMs = 0;
    const limit = new RateLimit({ burst: 2, perSecond: 0.5, nowMs: () => nowMs });
    expect([limit.take('a'), limit.take('a'), limit.take('a'), limit.take('b')]).toEqual([0, 0, 2, 0]);
    nowMs = 1000;
    expect(limit.take('a')).toBe(1);
    nowMs = 2000;
    expect([limit.take('a'), limit.take('a')]).toEqual([0, 2]);
    nowMs = 1_000_000;
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).toEqual([0, 0, 2]);
  });

  it('remembers a bounded number of keys, those that came last', () => {
    const limit = new RateLimit({ burst: 1, perSecond: 0.001, nowMs: () => 0 });
    expect(limit.take('first')).toBe(0);
    for (let i = 0; i < 10_000; i++) limit.take(`key ${i}`);
    expect(limit.take('first')).toBe(0);
    expect(limit.take('key 9999')).toBe(1000);
  });
});

describe('limitRequests', () => {
  it('bounds how often a caller asks, but not those that are exempt', async () => {
    const ask = (scope: 'read' | 'admin') => {
      const identify = limitRequests(
        async () => ({ identity: 'ann', scope }),
        (caller) => caller.scope === 'admin',
      );
      const asked = Array.from({ length: 1000 }, () => identify(Object({})));
      return Promise.allSettled(asked).then((all) => all.filter(({ status }) => status === 'rejected'));
    };
    expect(await ask('admin')).toEqual([]);
    const refused = await ask('read');
    expect(refused.length).toBeGreaterThan(300);
    expect(refused[0]).toMatchObject({ reason: { code: 'ERR_VMPULSE_LIMIT' } });
  });
});
