import { describe, expect, it } from 'vitest';
import { isVmpulseError, type VmpulseError } from '../../../src/model/errors.js';
import { assertInvariants } from '../../../src/policy/index.js';
import { acted, BROKEN } from './broken.js';

describe('the live assertion', () => {
  it('has nothing to say of a policy that keeps its rules', () => {
    const { state, result, now } = acted();
    expect(() => assertInvariants(state, result, now)).not.toThrow();
  });

  it.each(BROKEN)('catches a policy that acts although: %s (%s)', (_, invariant, breakIt, said) => {
    const a = acted();
    breakIt(a);
    let error: unknown;
    try {
      assertInvariants(a.state, a.result, a.now);
    } catch (caught) {
      error = caught;
    }
    expect(isVmpulseError(error, 'ERR_VMPULSE_INTERNAL')).toBe(true);
    expect(String(error)).toMatch(said);
    expect((error as VmpulseError).details?.invariants).toContain(invariant);
  });

  it('catches two actions for one VM in one step', () => {
    const { state, result, now } = acted();
    const twice = { ...result, effects: [...result.effects, ...result.effects] };
    expect(() => assertInvariants(state, twice, now)).toThrow(/two actions in one step/);
  });
});
