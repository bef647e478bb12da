import { Counter } from 'prom-client';
import { HOOK_EVENTS } from '../../model/hook.js';
import type { HookResult } from '../hooks/run-hook.js';
import type { Making } from './making.js';

/** How a hook ended; `dropped`: it was not run, for too many waited. */
export type HookOutcome = HookResult['result'] | 'dropped';

const OUTCOMES: readonly HookOutcome[] = ['done', 'failed', 'timeout', 'refused', 'dropped'];

export function makeHookMetrics({ registers }: Making): Counter<'event' | 'result'> {
  const hooks = new Counter({
    name: 'vmpulse_hooks_total',
    help: 'Runs of hooks that ended, by event and result; dropped: left out because too many waited.',
    labelNames: ['event', 'result'],
    registers,
  });
  for (const event of HOOK_EVENTS) for (const result of OUTCOMES) hooks.inc({ event, result }, 0);
  return hooks;
}
