import { z } from 'zod';
import { HOOK_EVENTS } from '../../model/hook.js';
import { oneOf, shown } from './shown.js';

const event = oneOf(HOOK_EVENTS);

export const hooksAnswer = z.looseObject({
  hooks: z.array(
    z.looseObject({
      id: shown.nullable(),
      vm: shown.nullable(),
      event,
      program: shown,
      user: shown.nullable(),
      timeoutMs: z.number(),
      origin: oneOf(['document', 'configuration', 'added']),
      author: shown.nullable(),
      addedAtMs: z.number().nullable(),
    }),
  ),
});

const hookRun = z.looseObject({
  program: shown,
  result: oneOf(['done', 'failed', 'timeout', 'refused']),
  text: shown,
  tookMs: z.number(),
  // Escaped line by line where it is shown.
  stdout: z.string(),
  stderr: z.string(),
});

export const hookTestAnswer = z.looseObject({ runs: z.array(hookRun) });

export const hookLogAnswer = z.looseObject({
  runs: z.array(hookRun.extend({ atMs: z.number(), vm: shown, event, reason: shown, origin: shown })),
});

export type HooksAnswer = z.output<typeof hooksAnswer>;
export type HookTestAnswer = z.output<typeof hookTestAnswer>;
export type HookLogAnswer = z.output<typeof hookLogAnswer>;
