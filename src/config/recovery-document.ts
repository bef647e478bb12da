import type { z } from 'zod';
import type { RecoverySpec } from '../model/vm.js';
import { windowText } from './action-window.js';
import { formatDuration } from './duration.js';
import { GUEST_COMMANDS, type vmRecoverySchema } from './recovery-schema.js';

/** Recovery as a document would write all of it. */
export function recoveryDocument(recovery: RecoverySpec): z.input<typeof vmRecoverySchema> {
  const { backoff, breaker, skip = [], actionWindows } = recovery;
  const { enabled, maxConsecutive, maxPer24h, startPriority, recreate } = recovery;
  return {
    enabled,
    grace: formatDuration(recovery.graceMs),
    graceMax: formatDuration(recovery.graceMaxMs),
    kdumpTimeout: formatDuration(recovery.kdumpTimeoutMs),
    stableFor: formatDuration(recovery.stableForMs),
    wedgedAfter: formatDuration(recovery.wedgedAfterMs),
    vetoWindow: formatDuration(recovery.vetoWindowMs),
    suspendedMax: formatDuration(recovery.suspendedMaxMs),
    maxConsecutive,
    maxPer24h,
    backoff: {
      base: formatDuration(backoff.baseMs),
      cap: formatDuration(backoff.capMs),
      jitter: backoff.jitter,
    },
    breaker: { failures: breaker.failures, hold: formatDuration(breaker.holdMs) },
    stepTimeout: formatDuration(recovery.stepTimeoutMs),
    gracefulStop: formatDuration(recovery.gracefulStopMs),
    startPriority,
    recreate,
    skip: [...skip],
    actionWindows: actionWindows.map(windowText),
    ...Object.fromEntries(
      GUEST_COMMANDS.flatMap((name) => (recovery[name] === undefined ? [] : [[name, [...recovery[name]]]])),
    ),
  };
}
