import { z } from 'zod';
import { JOURNAL_TYPES } from '../../model/journal-query.js';
import { oneOf, shown } from './shown.js';

/** Entries are given as they are: whoever shows them escapes them. */
const entry = z.looseObject({
  seq: z.number(),
  atMs: z.number(),
  vm: z.string().nullable(),
  type: oneOf(JOURNAL_TYPES),
  actionId: z.string().nullable(),
  text: z.string(),
  data: z.record(z.string(), z.unknown()),
});

export const journalAnswer = z.looseObject({ entries: z.array(entry) });

/** `next` is the cursor of the page that follows, null: there is none. */
export const journalPageAnswer = z.looseObject({
  entries: z.array(entry.extend({ vm: shown.nullable(), text: shown })),
  next: z.string().nullable(),
});

const RESULTS = ['success', 'done', 'failed', 'impossible', 'held', 'unresolved', 'running'] as const;

export const recoveryLogAnswer = z.looseObject({
  recoveries: z.array(
    z.looseObject({
      actionId: shown,
      vm: shown,
      startedAtMs: z.number(),
      issue: shown,
      diagnosis: z.looseObject({ kind: shown, cause: shown }),
      action: shown,
      attempt: z.number(),
      result: oneOf(RESULTS),
      endedAtMs: z.number().nullable(),
      healedAtMs: z.number().nullable(),
      durationMs: z.number().nullable(),
      text: shown,
    }),
  ),
  next: z.string().nullable(),
});

export type JournalPageAnswer = z.output<typeof journalPageAnswer>;
export type RecoveryLogAnswer = z.output<typeof recoveryLogAnswer>;
