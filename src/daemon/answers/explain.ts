import { z } from 'zod';
import { LADDER_STEPS } from '../../model/action.js';
import { DIAGNOSES, DIAGNOSIS_CAUSES } from '../../model/health.js';
import { names, oneOf, shown } from './shown.js';
import { degradation, health, probe, vmm } from './status.js';

const evidence = z.looseObject({ atMs: z.number(), source: shown, text: shown });

const attempt = z.looseObject({
  actionId: shown,
  step: oneOf(LADDER_STEPS),
  cause: oneOf(DIAGNOSIS_CAUSES),
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  result: z
    .looseObject({
      result: oneOf(['done', 'failed', 'impossible']),
      code: shown.optional(),
      message: shown.optional(),
    })
    .nullable(),
});

const episode = z.looseObject({
  diagnosis: z.looseObject({
    kind: oneOf(DIAGNOSES),
    cause: oneOf(DIAGNOSIS_CAUSES),
    evidence: z.array(evidence),
  }),
  startedAtMs: z.number(),
  diagnosedAtMs: z.number(),
  attempts: z.array(attempt),
  healedAtMs: z.number().nullable(),
  closedAtMs: z.number().nullable(),
  outcome: oneOf(['open', 'recovered', 'quarantined', 'resolved-itself', 'intended']),
});

export const explainAnswer = z.looseObject({
  vm: shown,
  health,
  sinceMs: z.number(),
  sentences: names,
  evidence: z.array(evidence),
  episode: episode.nullable(),
  pastEpisodes: z.array(episode),
  holds: z.array(z.looseObject({ rule: shown, text: shown, untilMs: z.number().nullable() })),
  budget: z.looseObject({
    consecutiveUsed: z.number(),
    consecutiveMax: z.number(),
    rolling24hUsed: z.number(),
    rolling24hMax: z.number(),
  }),
  next: z.looseObject({ step: oneOf(LADDER_STEPS), atMs: z.number().nullable(), text: shown }).nullable(),
  probes: z.array(probe),
  vmm,
  degradations: z.array(degradation),
  journal: z.array(z.looseObject({ seq: z.number(), atMs: z.number(), type: shown, text: shown })),
});

export type ExplainAnswer = z.output<typeof explainAnswer>;
export type EpisodeAnswer = z.output<typeof episode>;
