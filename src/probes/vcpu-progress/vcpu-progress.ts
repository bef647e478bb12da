import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import type { ProbeCheck } from '../../model/probe.js';
import { countField } from '../fields.js';
import { defineKind } from '../probe-kind.js';
import { ProgressProbe } from './progress-probe.js';

type VcpuProgressCheck = Extract<ProbeCheck, { kind: 'vcpuProgress' }>;

const DEFAULT_STALLED_AFTER_S = 20;

/** Looks whether the vCPUs of the VM still take interrupts; needs nothing in the guest. */
export const vcpuProgress = defineKind<VcpuProgressCheck>({
  kind: 'vcpuProgress',
  aliases: [],
  summary: 'watches whether the vCPUs of a VM still take interrupts; not by hand',
  targetHelp: 'none, it is a comparison over time',
  evidenceOnly: true,
  schema: z
    .strictObject({
      stalledAfterSeconds: countField({ unit: 's', example: '20' }, 2, 3_600).default(
        DEFAULT_STALLED_AFTER_S,
      ),
    })
    .transform(
      ({ stalledAfterSeconds }): VcpuProgressCheck => ({
        kind: 'vcpuProgress',
        stalledAfterMs: stalledAfterSeconds * 1000,
      }),
    ),
  parseTarget: () => {
    throw new VmpulseError(
      'ERR_VMPULSE_USAGE',
      'vCPU progress is a comparison over time and cannot be asked for once; vmpulse explain shows what the daemon sees',
    );
  },
  lookups: () => ({}),
  open: ({ stalledAfterMs }, setting) => new ProgressProbe(stalledAfterMs, setting),
  label: () => 'progress of the vCPUs',
});
