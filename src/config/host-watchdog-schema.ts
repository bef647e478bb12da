import { z } from 'zod';
import { given } from '../model/given.js';
import { absolutePathField } from '../probes/fields.js';
import { durationField } from './fields.js';

/** A watchdog device of the host that the daemon feeds. */
export interface HostWatchdogConfig {
  readonly device: string;
  readonly timeoutMs: number;
  readonly pretimeoutMs?: number;
}

const HOST_WATCHDOG_MS = 60_000;
const MAX_HOST_WATCHDOG_MS = 3_600_000;

export const hostWatchdogSchema = z
  .strictObject({
    device: absolutePathField,
    timeout: durationField('60s', 10_000, MAX_HOST_WATCHDOG_MS).optional(),
    pretimeout: durationField('20s', 1_000).optional(),
  })
  .superRefine(({ timeout = HOST_WATCHDOG_MS, pretimeout = 0 }, ctx) => {
    if (pretimeout < timeout) return;
    ctx.addIssue({
      code: 'custom',
      message: 'is not before the timeout; shorten it',
      path: ['pretimeout'],
    });
  });

export function buildHostWatchdog({
  device,
  timeout = HOST_WATCHDOG_MS,
  pretimeout,
}: z.output<typeof hostWatchdogSchema>): HostWatchdogConfig {
  return { device, timeoutMs: timeout, ...given({ pretimeoutMs: pretimeout }) };
}
