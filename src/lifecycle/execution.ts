import { z } from 'zod';

const error = z.object({ code: z.string(), message: z.string() });

const actionView = z.object({
  operationId: z.string(),
  operation: z.string(),
  vmId: z.string(),
  /** SKIPPED: one before it failed. */
  status: z.enum(['PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED']),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  /** What was done, in a few words; empty before. */
  text: z.string(),
  error: error.nullable(),
});

export const executionSchema = z.object({
  planId: z.string(),
  /** Another one for each attempt. */
  executionId: z.string(),
  idempotencyKey: z.string(),
  /** 1 for the first. */
  attempt: z.number(),
  author: z.string(),
  reason: z.string(),
  /** PARTIAL: some actions succeeded, and one failed. */
  status: z.enum(['PENDING', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED']),
  createdAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  actions: z.array(actionView),
});

/** How far a plan is, or how it ended. */
export type ExecutionView = z.output<typeof executionSchema>;
export type ActionView = ExecutionView['actions'][number];

export function isOver({ status }: ExecutionView): boolean {
  return status !== 'PENDING' && status !== 'RUNNING';
}

/** The status of a plan whose actions have all ended. */
export function outcomeOf(actions: readonly ActionView[]): ExecutionView['status'] {
  if (actions.every(({ status }) => status === 'SUCCEEDED')) return 'SUCCEEDED';
  return actions.some(({ status }) => status === 'SUCCEEDED') ? 'PARTIAL' : 'FAILED';
}
