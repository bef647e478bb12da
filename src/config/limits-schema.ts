import { z } from 'zod';
import { DEFAULT_POLICY_CONFIG } from '../policy/defaults.js';
import type { PolicyConfig } from '../policy/types.js';
import { countField } from '../probes/fields.js';
import { durationField } from './fields.js';

/** Host-wide limits of recovery, whatever the VMs say. */
export type LimitsConfig = Omit<PolicyConfig, 'confirmTimeoutMs' | 'episodesKept'>;

export const limitsSchema = z.strictObject({
  concurrentRecoveries: countField({ unit: 'count', example: '2' }, 1, 1000).optional(),
  bootsPerMinute: countField({ unit: 'count', example: '10' }, 1, 10_000).optional(),
  brakeRatio: z.number().min(0.01).max(1).meta({ unit: 'fraction', example: '0.3' }).optional(),
  brakeFrom: countField({ unit: 'count', example: '3' }, 1, 1_000_000).optional(),
  brakeCooldown: durationField('5m', 0).optional(),
  brakeEscalateAfter: durationField('30m', 0).optional(),
  sharedCauseWindow: durationField('30s', 0).optional(),
  maxEject: z.number().min(0).max(1).meta({ unit: 'fraction', example: '0.5' }).optional(),
  sharedCauseFrom: countField({ unit: 'count', example: '3' }, 2, 1_000_000).optional(),
});

export function buildLimits(limits: z.output<typeof limitsSchema> = {}): LimitsConfig {
  const base = DEFAULT_POLICY_CONFIG;
  return {
    maxConcurrentRecoveries: limits.concurrentRecoveries ?? base.maxConcurrentRecoveries,
    maxBootsPerMinute: limits.bootsPerMinute ?? base.maxBootsPerMinute,
    brakeRatio: limits.brakeRatio ?? base.brakeRatio,
    brakeMinVms: limits.brakeFrom ?? base.brakeMinVms,
    brakeCooldownMs: limits.brakeCooldown ?? base.brakeCooldownMs,
    brakeEscalateAfterMs: limits.brakeEscalateAfter ?? base.brakeEscalateAfterMs,
    maxEject: limits.maxEject ?? base.maxEject,
    sharedCauseWindowMs: limits.sharedCauseWindow ?? base.sharedCauseWindowMs,
    sharedCauseMinVms: limits.sharedCauseFrom ?? base.sharedCauseMinVms,
  };
}
