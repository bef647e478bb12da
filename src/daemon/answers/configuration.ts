import { z } from 'zod';
import { names, shown } from './shown.js';

const override = z.looseObject({
  vm: shown.nullable(),
  path: shown,
  value: z.unknown(),
  author: shown,
  reason: shown,
  atMs: z.number(),
  untilMs: z.number().nullable(),
});

export const configurationAnswer = z.looseObject({
  vm: shown.nullable(),
  settings: z.array(z.looseObject({ path: shown, value: z.unknown(), origin: shown })),
  overrides: z.array(override),
  setAside: z.array(z.looseObject({ override, why: shown })),
});

export const changeAnswer = z.looseObject({
  dryRun: z.boolean(),
  set: z.array(override),
  withdrawn: z.array(override),
  vms: z.array(z.looseObject({ id: shown, restartRequired: z.boolean(), what: names })),
  restartRequired: names,
});

export type OverrideAnswer = z.output<typeof override>;
export type ConfigurationAnswer = z.output<typeof configurationAnswer>;
export type ChangeAnswer = z.output<typeof changeAnswer>;
