import { z } from 'zod';
import { oneOf, shown } from './shown.js';
import { health, probe } from './status.js';

export const healthSummaryAnswer = z.looseObject({
  totalVms: z.number(),
  monitoredVms: z.number(),
  coverage: z.number(),
  health: z.record(z.string(), z.number()),
  probes: z.looseObject({ total: z.number(), failed: z.number(), blind: z.number() }),
  unmonitored: z.array(z.looseObject({ vm: shown, why: shown })),
});

const probeHealth = probe.extend({
  class: shown.nullable(),
  periodMs: z.number(),
  last: z
    .looseObject({
      result: oneOf(['ok', 'failed', 'inconclusive']),
      reason: shown.nullable(),
      class: shown.nullable(),
      atMs: z.number(),
      durationMs: z.number(),
    })
    .nullable(),
  lastOkMs: z.number().nullable(),
  streak: z.looseObject({ ok: z.number(), failed: z.number(), inconclusive: z.number() }),
});

export const vmHealthAnswer = z.looseObject({
  vm: shown,
  health,
  sinceMs: z.number(),
  unmonitored: shown.nullable(),
  probes: z.array(probeHealth),
});

export type HealthSummaryAnswer = z.output<typeof healthSummaryAnswer>;
export type VmHealthAnswer = z.output<typeof vmHealthAnswer>;
