import { z } from 'zod';

/**
 * What commands print with --format json. Members may be added; those named here stay, with their meaning.
 * Times are milliseconds since the epoch in members that end in `Ms`.
 */

/** One VM, as `vm list`, `vm get` and `status` have it. */
const vm = z.looseObject({
  /** `namespace/name`, unique on its host. */
  id: z.string(),
  health: z.string(),
  sinceMs: z.number(),
  ready: z.boolean(),
  lifeState: z.string(),
  runStrategy: z.string(),
  recoveryEnabled: z.boolean(),
  address: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  vmm: z.looseObject({ pid: z.number() }).nullable(),
  note: z.string(),
  probes: z.array(z.looseObject({ name: z.string(), role: z.string(), kind: z.string(), state: z.string() })),
});

const listedVm = vm.extend({
  /** The second part of the id. */
  name: z.string(),
  namespace: z.string(),
  /** The same as `address`. */
  ip: z.string().nullable(),
});

/** `vm list`. */
export const vmListJson = z.looseObject({ vms: z.array(listedVm) });

const check = z.looseObject({
  name: z.string(),
  role: z.string(),
  /** Kind of probe, for example `httpGet`. */
  type: z.string(),
  enabled: z.boolean(),
  host: z.string().nullable(),
  port: z.number().nullable(),
  path: z.string().nullable(),
  /** Milliseconds. */
  intervalMs: z.number(),
  timeoutMs: z.number(),
  successThreshold: z.number(),
  failureThreshold: z.number(),
  /** `unknown`, `ok`, `failed` or `blind`. */
  state: z.string(),
  reason: z.string().nullable(),
});

/** `vm get`. */
export const vmGetJson = listedVm.extend({
  health_check: z.looseObject({
    /** Whether any probe is switched on. */
    enabled: z.boolean(),
    /** Health of the VM. */
    status: z.string(),
    checks: z.array(check),
  }),
});

/** `node list`. */
export const nodeListJson = z.looseObject({
  nodes: z.array(
    z.looseObject({
      name: z.string(),
      /** What the node is reached at: an address, or with --host the name that was given. */
      address: z.string(),
      version: z.string(),
      startedAtMs: z.number(),
      vms: z.number(),
      /** VMs by health; what none has is left out. */
      health: z.record(z.string(), z.number()),
    }),
  ),
});

/** Verbs over VMs: what became of each. */
export const resultsJson = z.looseObject({
  results: z.array(
    z.union([
      z.looseObject({ vm: z.string(), text: z.string() }),
      z.looseObject({ vm: z.string(), error: z.looseObject({ code: z.string(), message: z.string() }) }),
    ]),
  ),
});

/** With --dry-run, and where --yes is missing: what would be done. */
export const previewJson = z.looseObject({
  dryRun: z.boolean(),
  needsYes: z.boolean(),
  would: z.array(z.string()),
});
