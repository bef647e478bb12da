import { expect, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import { type Outcome, outcomeReason, type ProbeResult } from '../../../src/model/outcome.js';
import { REASON_CLASS } from '../../../src/model/reasons.js';
import { within } from './support.js';

/**
 * What the two engines may say differently, by the name of the case, and why. Never the class of a reason, and never
 * more than five.
 */
export const EXPLAINED: Readonly<Record<string, string>> = {};

export type Engine = 'native' | 'portable';

/** One probe by one engine. */
export async function probe(
  engine: Engine,
  check: (opened: ProbeEngine) => TargetCheck,
  timeoutMs: number,
  reactor: 'auto' | 'epoll' = 'auto',
): Promise<ProbeResult> {
  // What is judged is the protocol, not how busy this host is.
  const opened = new ProbeEngine({ engine, reactor, lateMs: 10_000 });
  onTestFinished(() => opened.close());
  expect(opened.backend).toBe(engine);
  return await within(opened.probeOnce(check(opened), { timeoutMs }), `the result of the ${engine} engine`);
}

function classOf(outcome: Outcome): string {
  const reason = outcomeReason(outcome);
  return reason === undefined ? 'ok' : REASON_CLASS[reason];
}

/** Both engines say the same; in reason too, unless the case is explained. */
export function expectSame(name: string, native: ProbeResult, portable: ProbeResult): void {
  expect(portable.outcome.result, 'result').toBe(native.outcome.result);
  expect(classOf(portable.outcome), 'class').toBe(classOf(native.outcome));
  expect(portable.warnings, 'warnings').toEqual(native.warnings);
  const same = outcomeReason(native.outcome) === outcomeReason(portable.outcome);
  if (Object.hasOwn(EXPLAINED, name)) expect(same, 'is explained, but no difference any more').toBe(false);
  else expect(outcomeReason(portable.outcome), 'reason').toBe(outcomeReason(native.outcome));
}
