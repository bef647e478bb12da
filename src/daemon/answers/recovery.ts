import { z } from 'zod';
import { oneOf, shown } from './shown.js';
import { hold } from './status.js';

export const holdsAnswer = z.looseObject({ holds: z.array(hold) });

export const intentsAnswer = z.looseObject({
  intents: z.array(
    hold.extend({ what: oneOf(['hold', 'maintenance', 'scheduled', 'stop']), sinceMs: z.number() }),
  ),
});

export const recoveryPolicyAnswer = z.looseObject({
  vm: shown,
  recovery: z.record(z.string(), z.unknown()),
  origins: z.record(z.string(), shown),
});

export const maintenanceAnswer = z.looseObject({
  entries: z.array(
    z.looseObject({
      vm: shown,
      name: shown,
      schedule: shown,
      does: shown,
      nextAtMs: z.number().nullable(),
      state: oneOf(['idle', 'waiting', 'running']),
      why: shown.nullable(),
      last: z
        .looseObject({
          endedAtMs: z.number(),
          result: oneOf(['done', 'failed', 'skipped', 'missed']),
          text: shown,
        })
        .nullable(),
    }),
  ),
});

export type MaintenanceAnswer = z.output<typeof maintenanceAnswer>;
