import { z } from 'zod';
import type { Deadline } from '../model/deadline.js';
import type { GuestDisk, GuestResources } from '../model/guest.js';
import { plainText } from '../model/plain-text.js';
import type { AgentPort } from './agent-port.js';
import { parseAnswer } from './answer.js';

/** A guest may write any number; none of these can be more. */
const bytes = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const percent = z.number().min(0).max(100);
const count = z.int().min(0);

const RESOURCES = z.object({
  uptimeSeconds: bytes,
  cpu: z
    .object({ cpus: count, usedPercent: percent, iowaitPercent: percent, stealPercent: percent })
    .nullable(),
  memory: z
    .object({ totalBytes: bytes, availableBytes: bytes, swapTotalBytes: bytes, swapFreeBytes: bytes })
    .nullable(),
  load: z.tuple([bytes, bytes, bytes]).nullable(),
  disks: z
    .array(
      z.object({
        mount: z.string(),
        fsType: z.string(),
        readOnly: z.boolean(),
        totalBytes: bytes,
        usedBytes: bytes,
        inodes: bytes,
        inodesUsed: bytes,
      }),
    )
    .max(64),
});

type ToldDisk = z.output<typeof RESOURCES>['disks'][number];

/** Asks vmpulse's own agent. */
export async function vmpulseResources(agent: AgentPort, deadline: Deadline): Promise<GuestResources> {
  const answer = await agent.request('vmpulse-resources', undefined, deadline.step());
  const { uptimeSeconds, cpu, memory, load, disks } = parseAnswer(RESOURCES, answer);
  return {
    source: 'vmpulse-agent',
    uptimeSeconds,
    ...(cpu === null ? {} : { cpu: cpuOf(cpu), cpus: cpu.cpus }),
    ...(memory === null ? {} : { memory }),
    ...(load === null ? {} : { load }),
    disks: disks.map(diskOf),
  };
}

function cpuOf(cpu: NonNullable<z.output<typeof RESOURCES>['cpu']>): NonNullable<GuestResources['cpu']> {
  return {
    usedPercent: cpu.usedPercent,
    ioWaitPercent: cpu.iowaitPercent,
    stealPercent: cpu.stealPercent,
  };
}

function diskOf({ mount, fsType, readOnly, totalBytes, usedBytes, inodes, inodesUsed }: ToldDisk): GuestDisk {
  return {
    mount: plainText(mount),
    fsType: plainText(fsType, 32),
    readOnly,
    totalBytes,
    usedBytes,
    ...(inodes === 0 ? {} : { inodes: { total: inodes, used: inodesUsed } }),
  };
}
