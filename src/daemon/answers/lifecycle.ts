import { z } from 'zod';
import { names, oneOf, shown } from './shown.js';

const change = z.looseObject({ id: shown, restartRequired: z.boolean() });

export const reloadAnswer = z.looseObject({
  dryRun: z.boolean(),
  added: names,
  removed: names,
  changed: z.array(change.extend({ what: names })),
  settings: z.looseObject({ changed: names, restartRequired: names }),
  warnings: names,
});

export const applyAnswer = z.looseObject({
  dryRun: z.boolean(),
  documents: z.looseObject({ added: names, changed: names, removed: names, unchanged: names }),
  vms: z.looseObject({ added: names, removed: names, changed: z.array(change.extend({ what: names })) }),
  warnings: names,
});

export const executionAnswer = z.looseObject({
  planId: shown,
  executionId: shown,
  idempotencyKey: shown,
  attempt: z.number(),
  author: shown,
  reason: shown,
  status: oneOf(['PENDING', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED']),
  createdAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  actions: z.array(
    z.looseObject({
      operationId: shown,
      operation: shown,
      vmId: shown,
      status: oneOf(['PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED']),
      startedAtMs: z.number().nullable(),
      endedAtMs: z.number().nullable(),
      text: shown,
      error: z.looseObject({ code: shown, message: shown }).nullable(),
    }),
  ),
});

export const executionsAnswer = z.looseObject({ plans: z.array(executionAnswer) });

export const planPreviewAnswer = z.looseObject({
  dryRun: z.literal(true),
  actions: z.array(z.looseObject({ operationId: shown, would: shown })),
});

export const leftoversAnswer = z.looseObject({
  leftovers: z.array(
    z.looseObject({
      kind: oneOf(['vm-folder', 'run-folder', 'documents', 'image']),
      path: shown,
      why: shown,
    }),
  ),
  kept: z.array(shown),
});

export type PlanPreviewAnswer = z.output<typeof planPreviewAnswer>;
export type ReloadAnswer = z.output<typeof reloadAnswer>;
export type ApplyAnswer = z.output<typeof applyAnswer>;
export type ExecutionAnswer = z.output<typeof executionAnswer>;
