import { z } from 'zod';
import { plainText } from '../model/plain-text.js';

/** Text that may come from a guest: shown with control characters escaped. */
const shown = z.string().transform((text) => plainText(text, 4096));
const vmm = z
  .looseObject({ pid: z.number(), startTimeTicks: z.number(), startedAtMs: z.number() })
  .nullable();
const probe = z.looseObject({
  name: shown,
  role: shown,
  kind: shown,
  state: shown,
  reason: shown.nullable(),
  sinceMs: z.number(),
});

/** What the daemon answers, as far as it is shown; the rest passes to --json as it is. See RuntimeApi's views. */
export const vmAnswer = z.looseObject({
  id: shown,
  health: shown,
  sinceMs: z.number(),
  ready: z.boolean(),
  runStrategy: shown,
  recoveryEnabled: z.boolean(),
  address: shown.nullable(),
  vmm,
  note: shown,
  probes: z.array(probe),
  mode: z.looseObject({ kind: shown, reason: shown }),
  compliance: z.looseObject({ drift: z.array(shown) }),
  restartRequired: z.boolean(),
});

const hold = z.looseObject({
  vm: shown.nullable(),
  reason: shown,
  author: shown,
  untilMs: z.number().nullable(),
});

const degradation = z.looseObject({ what: shown, why: shown, sinceMs: z.number() });

export const hostAnswer = z.looseObject({
  version: shown,
  host: shown,
  pid: z.number(),
  startedAtMs: z.number(),
  nowMs: z.number(),
  engine: shown,
  holds: z.array(hold),
  degradations: z.array(degradation),
  vms: z.array(vmAnswer),
});

const attempt = z.looseObject({
  step: shown,
  cause: shown,
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  result: z.looseObject({ result: shown, code: shown.optional(), message: shown.optional() }).nullable(),
});

const episode = z.looseObject({
  diagnosis: z.looseObject({ kind: shown, cause: shown }),
  startedAtMs: z.number(),
  diagnosedAtMs: z.number(),
  attempts: z.array(attempt),
  healedAtMs: z.number().nullable(),
  closedAtMs: z.number().nullable(),
  outcome: shown,
});

export const explainAnswer = z.looseObject({
  vm: shown,
  health: shown,
  sinceMs: z.number(),
  sentences: z.array(shown),
  evidence: z.array(z.looseObject({ atMs: z.number(), source: shown, text: shown })),
  episode: episode.nullable(),
  pastEpisodes: z.array(episode),
  holds: z.array(z.looseObject({ rule: shown, text: shown, untilMs: z.number().nullable() })),
  budget: z.looseObject({
    consecutiveUsed: z.number(),
    consecutiveMax: z.number(),
    rolling24hUsed: z.number(),
    rolling24hMax: z.number(),
  }),
  next: z.looseObject({ step: shown, atMs: z.number().nullable(), text: shown }).nullable(),
  probes: z.array(probe),
  degradations: z.array(degradation),
  journal: z.array(z.looseObject({ atMs: z.number(), type: shown, text: shown })),
});

export const intentsAnswer = z.looseObject({
  intents: z.array(hold.extend({ what: shown, sinceMs: z.number() })),
});

export const maintenanceAnswer = z.looseObject({
  entries: z.array(
    z.looseObject({
      vm: shown,
      name: shown,
      schedule: shown,
      does: shown,
      nextAtMs: z.number().nullable(),
      state: shown,
      why: shown.nullable(),
      last: z.looseObject({ endedAtMs: z.number(), result: shown, text: shown }).nullable(),
    }),
  ),
});

const networkProblem = z.looseObject({
  fault: shown,
  device: shown.nullable(),
  vm: shown.nullable(),
  text: shown,
  canRepair: z.boolean(),
});

export const networkAnswer = z.looseObject({
  networks: z.array(
    z.looseObject({ bridge: shown, address: shown.optional(), nat: z.boolean(), uplink: shown.optional() }),
  ),
  problems: z.array(networkProblem),
});

export const repairAnswer = z.looseObject({ done: z.array(shown), problems: z.array(networkProblem) });

export const groupsAnswer = z.looseObject({
  groups: z.array(
    z.looseObject({
      name: shown,
      policy: shown.nullable(),
      rules: z.array(
        z.looseObject({
          id: shown,
          sourceCidr: shown.nullable(),
          protocol: shown,
          port: z.number().nullable(),
          toPort: z.number().nullable(),
          comment: shown,
          author: shown,
          addedAtMs: z.number(),
        }),
      ),
    }),
  ),
  effective: z.looseObject({ vm: shown, policy: shown }).nullable(),
});

export const journalAnswer = z.looseObject({
  entries: z.array(z.looseObject({ seq: z.number(), atMs: z.number() })),
});

export const holdsAnswer = z.looseObject({ holds: z.array(hold) });

/** A token is given as it is. */
export const tokenAnswer = z.looseObject({ vm: shown, token: z.string().regex(/^[A-Za-z0-9_-]+$/) });

export const reloadAnswer = z.looseObject({
  added: z.array(shown),
  removed: z.array(shown),
  changed: z.array(z.looseObject({ id: shown, restartRequired: z.boolean() })),
  warnings: z.array(shown),
});

const names = z.array(shown);

export const applyAnswer = z.looseObject({
  dryRun: z.boolean(),
  documents: z.looseObject({ added: names, changed: names, removed: names, unchanged: names }),
  vms: z.looseObject({
    added: names,
    removed: names,
    changed: z.array(z.looseObject({ id: shown, restartRequired: z.boolean(), what: names })),
  }),
  warnings: names,
});

export const executionAnswer = z.looseObject({
  planId: shown,
  executionId: shown,
  idempotencyKey: shown,
  attempt: z.number(),
  status: shown,
  actions: z.array(
    z.looseObject({
      operationId: shown,
      operation: shown,
      vmId: shown,
      status: shown,
      text: shown,
      error: z.looseObject({ code: shown, message: shown }).nullable(),
    }),
  ),
});

export const planPreviewAnswer = z.looseObject({
  actions: z.array(z.looseObject({ operationId: shown, would: shown })),
});

export const leftoversAnswer = z.looseObject({
  leftovers: z.array(z.looseObject({ kind: shown, path: shown, why: shown })),
});

export type ExecutionAnswer = z.output<typeof executionAnswer>;
export type ApplyAnswer = z.output<typeof applyAnswer>;
export type VmAnswer = z.output<typeof vmAnswer>;
export type HostAnswer = z.output<typeof hostAnswer>;
export type ExplainAnswer = z.output<typeof explainAnswer>;
export type EpisodeAnswer = z.output<typeof episode>;
export type HoldAnswer = z.output<typeof hold>;
export type MaintenanceAnswer = z.output<typeof maintenanceAnswer>;
export type NetworkAnswer = z.output<typeof networkAnswer>;
export type GroupsAnswer = z.output<typeof groupsAnswer>;
export type ReloadAnswer = z.output<typeof reloadAnswer>;

export const recoveryPolicyAnswer = z.looseObject({
  vm: shown,
  recovery: z.record(z.string(), z.unknown()),
  origins: z.record(z.string(), shown),
});
