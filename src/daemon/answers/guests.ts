import { z } from 'zod';
import { oneOf, shown } from './shown.js';

/** Output is as the guest wrote it. */
export const execAnswer = z.looseObject({
  vm: shown,
  exitCode: z.int(),
  stdout: z.string(),
  stderr: z.string(),
});

const percent = z.number().nullable();

export const statsAnswer = z.looseObject({
  vm: shown,
  source: oneOf(['vmpulse-agent', 'qemu-guest-agent']),
  cpu_usage: percent,
  memory_usage: percent,
  disk_usage: percent,
  cpu: z
    .looseObject({ usedPercent: z.number(), ioWaitPercent: z.number(), stealPercent: z.number() })
    .optional(),
  cpus: z.number().optional(),
  memory: z
    .looseObject({
      totalBytes: z.number(),
      availableBytes: z.number(),
      swapTotalBytes: z.number(),
      swapFreeBytes: z.number(),
    })
    .optional(),
  load: z.array(z.number()).length(3).optional(),
  disks: z.array(
    z.looseObject({
      mount: shown,
      fsType: shown,
      readOnly: z.boolean(),
      totalBytes: z.number(),
      usedBytes: z.number(),
      inodes: z.looseObject({ total: z.number(), used: z.number() }).optional(),
    }),
  ),
  uptimeSeconds: z.number().optional(),
});

export const resizeAnswer = z.looseObject({ vm: shown, memoryMiB: z.number() });

export const consoleAnswer = z.looseObject({ vm: shown, socket: z.string(), log: z.string().nullable() });

/** A token is given as it is. */
export const tokenAnswer = z.looseObject({ vm: shown, token: z.string().regex(/^[A-Za-z0-9_-]+$/) });

export const receivedAnswer = z.looseObject({ received: z.literal(true) });

export type ExecAnswer = z.output<typeof execAnswer>;
export type StatsAnswer = z.output<typeof statsAnswer>;
