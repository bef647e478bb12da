import { z } from 'zod';
import { oneOf, shown } from './shown.js';
import { probe } from './status.js';

const set = probe.omit({ asked: true }).extend({
  enabled: z.boolean(),
  critical: z.boolean(),
  weight: z.number(),
  target: z.looseObject({ host: shown.nullable(), port: z.number().nullable(), path: shown.nullable() }),
  timing: z.looseObject({
    initialDelayMs: z.number(),
    periodMs: z.number(),
    timeoutMs: z.number(),
    successThreshold: z.number(),
    failureThreshold: z.number(),
  }),
});

export const checksAnswer = z.looseObject({ vm: shown, probes: z.array(set) });

const detail = z.union([shown, z.number(), z.boolean(), z.null()]);

const result = z.looseObject({
  name: shown,
  role: shown,
  kind: shown,
  outcome: z.looseObject({
    result: oneOf(['ok', 'failed', 'inconclusive']),
    reason: shown.optional(),
  }),
  durationMs: z.number(),
  warnings: z.array(shown),
  details: z.record(z.string(), detail),
});

export const checkNowAnswer = z.looseObject({ vm: shown, results: z.array(result) });

export type ChecksAnswer = z.output<typeof checksAnswer>;
export type CheckNowAnswer = z.output<typeof checkNowAnswer>;
