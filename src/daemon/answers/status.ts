import { z } from 'zod';
import { HEALTH_STATES } from '../../model/health.js';
import { LIFE_STATES } from '../../runtime/life-state.js';
import { names, oneOf, shown } from './shown.js';

export const vmm = z
  .looseObject({ pid: z.number(), startTimeTicks: z.number(), startedAtMs: z.number() })
  .nullable();

export const probe = z.looseObject({
  name: shown,
  role: oneOf(['startup', 'liveness', 'readiness', 'check']),
  kind: shown,
  state: oneOf(['unknown', 'ok', 'failed', 'blind']),
  asked: z.boolean(),
  reason: shown.nullable(),
  sinceMs: z.number(),
});

export const health = oneOf(HEALTH_STATES);
export const endpoint = z.looseObject({ host: shown, port: z.number() }).nullable();
export const keptReadyBy = oneOf(['fleet-brake', 'shared-cause', 'max-eject']).nullable();
export const labels = z.record(z.string(), z.string());

export const vmAnswer = z.looseObject({
  id: shown,
  health,
  sinceMs: z.number(),
  ready: z.boolean(),
  keptReadyBy,
  runStrategy: oneOf(['Always', 'RerunOnFailure', 'Once', 'Manual', 'Halted']),
  lifeState: oneOf(LIFE_STATES),
  mode: z.looseObject({ kind: oneOf(['managed', 'unmanaged', 'paused']), reason: shown }),
  compliance: z.looseObject({ compliant: z.boolean(), drift: names }),
  customizations: names,
  recoveryEnabled: z.boolean(),
  address: shown.nullable(),
  endpoint,
  labels,
  vmm,
  note: shown,
  probes: z.array(probe),
  editWarSinceMs: z.number().nullable(),
  restartRequired: z.boolean(),
});

export const hold = z.looseObject({
  vm: shown.nullable(),
  reason: shown,
  author: shown,
  untilMs: z.number().nullable(),
});

export const degradation = z.looseObject({ what: shown, why: shown, sinceMs: z.number() });

export const hostAnswer = z.looseObject({
  version: shown,
  host: shown,
  pid: z.number(),
  startedAtMs: z.number(),
  nowMs: z.number(),
  engine: oneOf(['native', 'portable']),
  holds: z.array(hold),
  degradations: z.array(degradation),
  vms: z.array(vmAnswer),
});

export type VmAnswer = z.output<typeof vmAnswer>;
export type HostAnswer = z.output<typeof hostAnswer>;
export type HoldAnswer = z.output<typeof hold>;
