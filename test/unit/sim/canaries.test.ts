import { describe, expect, it } from 'vitest';
import { CANARIES, find } from './canaries.js';

describe('a policy that is broken on purpose is caught', () => {
  it.each(CANARIES)('$name', { timeout: 120_000 }, async ({ canary, faults, found }) => {
    const texts = (await find(canary, faults)).map(({ text }) => text);
    expect(texts.join('\n')).toMatch(found);
  });
});
