import { z } from 'zod';
import { LADDER_STEPS } from '../model/action.js';
import type { RecoverySpec } from '../model/vm.js';
import { booleanField, countField } from '../probes/fields.js';
import { windowField } from './action-window.js';
import { formatDuration } from './duration.js';
import { argumentField, durationField } from './fields.js';

/** What a step may take after the graceful stop. */
const AFTER_STOP_MS = 30_000;

const backoff = z.strictObject({
  base: durationField('10s', 0).optional(),
  cap: durationField('300s', 0).optional(),
  jitter: z.number().min(0).max(1).meta({ unit: 'fraction', example: '0.5' }).optional(),
});

const breaker = z.strictObject({
  failures: countField({ unit: 'count', example: '5' }, 1, 1000).optional(),
  hold: durationField('5m', 1000).optional(),
});

/** Recovery as the daemon's configuration writes it: the host's defaults. */
export const hostRecoverySchema = z.strictObject({
  enabled: booleanField.optional(),
  grace: durationField('120s', 0).optional(),
  graceMax: durationField('10m', 0).optional(),
  kdumpTimeout: durationField('5m', 0).optional(),
  stableFor: durationField('60s', 1000).optional(),
  wedgedAfter: durationField('60s', 1000).optional(),
  vetoWindow: durationField('120s', 0).optional(),
  suspendedMax: durationField('1h', 1000).optional(),
  maxConsecutive: countField({ unit: 'count', example: '3' }, 1, 100).optional(),
  maxPer24h: countField({ unit: 'count', example: '10' }, 1, 1000).optional(),
  backoff: backoff.optional(),
  breaker: breaker.optional(),
  stepTimeout: durationField('60s', 1000).optional(),
  gracefulStop: durationField('30s', 0).optional(),
  startPriority: countField({ unit: 'count', example: '0' }, 0, 1_000_000).optional(),
  recreate: booleanField.optional(),
  skip: z
    .array(z.enum(LADDER_STEPS))
    .max(LADDER_STEPS.length)
    .meta({ unit: 'list of steps', example: '[reset-network]' })
    .optional(),
  actionWindows: z
    .array(windowField)
    .max(64)
    .meta({ unit: 'list of windows', example: '[Sat-Sun 22:00-06:00]' })
    .optional(),
});

const commandField = (example: string) =>
  z.array(argumentField).min(1).max(64).meta({ unit: 'list of arguments', example });

/** Recovery as the document of one VM writes it. */
export const vmRecoverySchema = hostRecoverySchema.extend({
  restartService: commandField('[systemctl, restart, nginx]').optional(),
  exec: commandField('[/usr/local/sbin/repair-web]').optional(),
  cleanup: commandField('[journalctl, --vacuum-size=200M]').optional(),
});

export type WrittenRecovery = z.output<typeof vmRecoverySchema>;

/** Lays what was written over a base. */
export function mergeRecovery(base: RecoverySpec, written: WrittenRecovery = {}): RecoverySpec {
  const gracefulStopMs = written.gracefulStop ?? base.gracefulStopMs;
  return {
    enabled: written.enabled ?? base.enabled,
    graceMs: written.grace ?? base.graceMs,
    graceMaxMs: written.graceMax ?? Math.max(base.graceMaxMs, written.grace ?? base.graceMs),
    kdumpTimeoutMs: written.kdumpTimeout ?? base.kdumpTimeoutMs,
    stableForMs: written.stableFor ?? base.stableForMs,
    wedgedAfterMs: written.wedgedAfter ?? base.wedgedAfterMs,
    vetoWindowMs: written.vetoWindow ?? base.vetoWindowMs,
    suspendedMaxMs: written.suspendedMax ?? base.suspendedMaxMs,
    maxConsecutive: written.maxConsecutive ?? base.maxConsecutive,
    maxPer24h: written.maxPer24h ?? base.maxPer24h,
    backoff: {
      baseMs: written.backoff?.base ?? base.backoff.baseMs,
      capMs: written.backoff?.cap ?? base.backoff.capMs,
      jitter: written.backoff?.jitter ?? base.backoff.jitter,
    },
    breaker: {
      failures: written.breaker?.failures ?? base.breaker.failures,
      holdMs: written.breaker?.hold ?? base.breaker.holdMs,
    },
    ...guestCommands(base, written),
    ...skipped(written.skip ?? base.skip),
    // A step waits for the graceful stop; a longer one makes room for itself unless the step's own time is given.
    stepTimeoutMs: written.stepTimeout ?? Math.max(base.stepTimeoutMs, gracefulStopMs + AFTER_STOP_MS),
    gracefulStopMs,
    startPriority: written.startPriority ?? base.startPriority,
    recreate: written.recreate ?? base.recreate,
    actionWindows: written.actionWindows ?? base.actionWindows,
  };
}

/** Commands run in the guest, each only where it is written. */
export const GUEST_COMMANDS = ['restartService', 'exec', 'cleanup'] as const;

function guestCommands(base: RecoverySpec, written: WrittenRecovery): Partial<RecoverySpec> {
  return Object.fromEntries(
    GUEST_COMMANDS.flatMap((name) => {
      const command = written[name] ?? base[name];
      return command === undefined ? [] : [[name, command]];
    }),
  );
}

function skipped(skip: RecoverySpec['skip']): Pick<RecoverySpec, 'skip'> {
  return skip === undefined || skip.length === 0 ? {} : { skip };
}

/** Rules between the merged values: the field that is wrong, below `recovery`, and the message. */
export function recoveryConflicts(
  recovery: RecoverySpec,
): readonly (readonly [path: readonly string[], message: string])[] {
  const conflicts: (readonly [readonly string[], string])[] = [];
  const { backoff, stepTimeoutMs, gracefulStopMs, maxConsecutive, maxPer24h } = recovery;
  if (backoff.baseMs > backoff.capMs) {
    const message = `must be at least backoff.base (${formatDuration(backoff.baseMs)}), not ${formatDuration(backoff.capMs)}; raise it`;
    conflicts.push([['backoff', 'cap'], message]);
  }
  if (recovery.graceMaxMs < recovery.graceMs) {
    const message = `must be at least grace (${formatDuration(recovery.graceMs)}), not ${formatDuration(recovery.graceMaxMs)}; raise it`;
    conflicts.push([['graceMax'], message]);
  }
  if (stepTimeoutMs <= gracefulStopMs) {
    const message = `must be longer than gracefulStop (${formatDuration(gracefulStopMs)}), not ${formatDuration(stepTimeoutMs)}; a step waits for the graceful stop, raise it`;
    conflicts.push([['stepTimeout'], message]);
  }
  if (maxConsecutive > maxPer24h) {
    conflicts.push([
      ['maxPer24h'],
      `must be at least maxConsecutive (${maxConsecutive}), not ${maxPer24h}; raise it`,
    ]);
  }
  return conflicts;
}
