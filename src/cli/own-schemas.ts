import { z } from 'zod';
import { vmHealthAnswer } from '../daemon/answers/health.js';

// What commands print that is no answer of the daemon.

const counts = z.record(z.string(), z.number());

export const healthStatusJson = z.looseObject({
  total_vms: z.number(),
  monitored_vms: z.number(),
  /** 0 to 1. */
  coverage: z.number(),
  /** VMs by health. */
  health: counts,
  checks: z.looseObject({ total: z.number(), failed: z.number(), blind: z.number() }),
  unmonitored_vms: z.array(z.looseObject({ vm: z.string(), why: z.string() })),
});

/** One VM with what its probes said. */
export const healthCheckJson = vmHealthAnswer.extend({
  /** Else they said it last on their schedule. */
  askedNow: z.boolean(),
  results: z.array(
    z.looseObject({
      probe: z.string(),
      kind: z.string(),
      result: z.string(),
      reason: z.string().nullable(),
      durationMs: z.number(),
      warnings: z.array(z.string()),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
});

export const healthReportJson = z.looseObject({
  group_by: z.string(),
  total: z.number(),
  /** Only the newest are counted. */
  truncated: z.boolean(),
  groups: z.array(
    z.looseObject({
      name: z.string(),
      title: z.string(),
      count: z.number(),
      vms: z.array(z.string()),
      failures: z.array(
        z.looseObject({
          ...{ vm: z.string(), probe: z.string(), reason: z.string(), class: z.string() },
          atMs: z.number(),
        }),
      ),
    }),
  ),
});

export const imageJson = z.looseObject({
  name: z.string(),
  format: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  pulledAtMs: z.number(),
  source: z.string(),
});

export const probeOutcomeJson = z.looseObject({
  kind: z.string(),
  target: z.string(),
  /** `ok`, `failed` or `inconclusive`. */
  outcome: z.string(),
  reason: z.string().nullable(),
  class: z.string().nullable(),
  durationMs: z.number(),
  warnings: z.array(z.string()),
  details: z.record(z.string(), z.unknown()),
});

export const importedJson = z.looseObject({
  files: z.array(z.looseObject({ path: z.string(), text: z.string() })),
  taken: z.array(z.string()),
  notTaken: z.array(
    z.looseObject({
      place: z.looseObject({ file: z.string(), line: z.number(), column: z.number() }),
      path: z.string(),
      why: z.string(),
    }),
  ),
  /** Commands that do the rest, each with what it is for. */
  commands: z.array(z.array(z.string()).length(2)),
});

export const configCheckJson = z.looseObject({
  file: z.string(),
  vms: z.array(z.string()),
  warnings: z.array(z.string()),
});

export const discoverJson = z.looseObject({
  vms: z.array(
    z.looseObject({
      id: z.string(),
      vmm: z.string(),
      owner: z.looseObject({ kind: z.string() }),
      notes: z.array(z.string()),
    }),
  ),
  warnings: z.array(z.string()),
});

export const doctorJson = z.looseObject({
  version: z.literal(1),
  configuration: z.string().nullable(),
  findings: z.array(
    z.looseObject({
      id: z.string(),
      subject: z.string().nullable(),
      severity: z.string(),
      seen: z.string(),
      why: z.string(),
      fix: z.string().nullable(),
    }),
  ),
  counts,
});

export const gatheredJson = z.looseObject({
  file: z.string(),
  from: z.looseObject({ configuration: z.string(), stateDir: z.string(), runDir: z.string() }),
  bytes: z.number(),
  files: z.number(),
  missing: z.array(z.looseObject({ name: z.string(), why: z.string() })),
});

export const simulateJson = z.union([
  z.looseObject({
    seeds: z.number(),
    faultKinds: counts,
    failed: z.array(z.looseObject({ seed: z.number(), replay: z.string() })),
    totals: z.looseObject({
      faults: z.number(),
      missed: z.number(),
      falseRestarts: z.number(),
      invariantViolations: z.number(),
    }),
  }),
  // --record
  z.looseObject({
    entries: z.number(),
    skipped: z.number(),
    daemonStarts: z.number(),
    fromMs: z.number().nullable(),
    toMs: z.number().nullable(),
    vms: z.number(),
    sameActions: z.number(),
    diverged: z.array(z.looseObject({ vm: z.string(), atMs: z.number() })),
  }),
]);
