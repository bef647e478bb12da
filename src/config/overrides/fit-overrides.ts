import { errorMessage, isVmpulseError } from '../../model/errors.js';
import type { Override, SetAside } from './override.js';

/** What was built, with which of them, and which do not fit. */
export interface Fitted<T> {
  readonly value: T;
  readonly taken: readonly Override[];
  readonly setAside: readonly SetAside[];
}

/**
 * Builds with all overrides, or, where that has a problem, with those that fit in the order in which they were set: a
 * file that somebody edited since must not keep the daemon from starting, nor take the others away. Throws
 * ERR_VMPULSE_CONFIG when it cannot be built without any.
 */
export function fitOverrides<T>(
  overrides: readonly Override[],
  build: (taken: readonly Override[]) => T,
): Fitted<T> {
  if (overrides.length === 0) return { value: build([]), taken: [], setAside: [] };
  try {
    return { value: build(overrides), taken: overrides, setAside: [] };
  } catch (error) {
    if (!isVmpulseError(error, 'ERR_VMPULSE_CONFIG')) throw error;
  }
  let value = build([]);
  const taken: Override[] = [];
  const setAside: SetAside[] = [];
  for (const override of overrides) {
    try {
      value = build([...taken, override]);
      taken.push(override);
    } catch (error) {
      if (!isVmpulseError(error, 'ERR_VMPULSE_CONFIG')) throw error;
      setAside.push({ override, why: errorMessage(error) });
    }
  }
  return { value, taken, setAside };
}
