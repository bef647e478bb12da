import { z } from 'zod';
import { shown } from './shown.js';
import { endpoint, health, keptReadyBy, labels } from './status.js';

export const readinessAnswer = z.looseObject({
  host: shown,
  atMs: z.number(),
  endpoints: z.array(
    z.looseObject({
      vm: shown,
      ready: z.boolean(),
      keptReadyBy,
      health,
      address: shown.nullable(),
      endpoint,
      labels,
    }),
  ),
});

/** Prometheus' HTTP service discovery: its format, with nothing else in it. */
export const targetsAnswer = z.array(z.looseObject({ targets: z.array(z.string()), labels }));
