import type { ProbeEngine, ProbeEngineOptions } from '../../../src/engine/index.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { openEngine } from '../../native/engine/support.js';

/** A portable engine that is closed when the test ends. */
export function openPortable(options: ProbeEngineOptions = {}): ProbeEngine {
  return openEngine({ ...options, engine: 'portable' });
}

/** The error of a call that must throw one of ours. */
export function errorOf(call: () => unknown): VmpulseError {
  try {
    call();
  } catch (error) {
    if (error instanceof VmpulseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Blocks this thread, as a busy host program does. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
