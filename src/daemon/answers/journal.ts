import { z } from 'zod';
import { oneOf } from './shown.js';

const TYPES = [
  'transition',
  'health',
  'decision',
  'action-start',
  'action-end',
  'vmm-event',
  'operator',
  'input',
  'daemon',
] as const;

/** Entries are given as they are: whoever shows them escapes them. */
export const journalAnswer = z.looseObject({
  entries: z.array(
    z.looseObject({
      seq: z.number(),
      atMs: z.number(),
      vm: z.string().nullable(),
      type: oneOf(TYPES),
      actionId: z.string().nullable(),
      text: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
});
