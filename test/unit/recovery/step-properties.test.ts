import { describe, expect, it } from 'vitest';
import { LIVE_STEPS } from './live-steps.js';
import { STEP_PROPERTIES } from './step-properties.js';

describe('whatever goes wrong, a recovery', () => {
  it.each(STEP_PROPERTIES)('$name', ({ check }) => check());
});

describe('the live assertion of steps', () => {
  it.each(LIVE_STEPS)('catches: $name', async ({ provoke, said }) => {
    const { told, harm } = await provoke();
    expect(told.join()).toMatch(said);
    expect(harm).toEqual([]);
  });
});
