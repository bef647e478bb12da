import { z } from 'zod';
import { plainText } from '../../model/plain-text.js';
import { table } from './table.js';

const GIB = 1024 ** 3;

const shown = z.string().transform((text) => plainText(text, 256));

/** What `GET /v1/vms/VM/stats` answers, as far as it is shown. */
export const statsAnswer = z.looseObject({
  vm: shown,
  source: shown,
  cpu_usage: z.number().nullable(),
  memory_usage: z.number().nullable(),
  disk_usage: z.number().nullable(),
  cpu: z.looseObject({ ioWaitPercent: z.number(), stealPercent: z.number() }).optional(),
  memory: z.looseObject({ totalBytes: z.number(), availableBytes: z.number() }).optional(),
  load: z.array(z.number()).optional(),
  disks: z.array(
    z.looseObject({ mount: shown, fsType: shown, totalBytes: z.number(), usedBytes: z.number() }),
  ),
});

export function statsText(stats: z.output<typeof statsAnswer>): string {
  const { cpu, memory, load, disks } = stats;
  const waits = cpu === undefined ? '' : `, ${cpu.ioWaitPercent} % I/O wait, ${cpu.stealPercent} % stolen`;
  const available =
    memory === undefined ? '' : `, ${gib(memory.availableBytes)} of ${gib(memory.totalBytes)} available`;
  const facts = [
    `${stats.vm} (${stats.source})`,
    `  cpu     ${percent(stats.cpu_usage)}${waits}`,
    `  memory  ${percent(stats.memory_usage)}${available}`,
    ...(load === undefined ? [] : [`  load    ${load.join(' ')}`]),
    `  disk    ${percent(stats.disk_usage)}`,
  ];
  const rows = disks.map(({ mount, fsType, totalBytes, usedBytes }) => [
    mount,
    fsType,
    gib(usedBytes),
    gib(totalBytes),
    totalBytes === 0 ? '-' : `${Math.round((usedBytes * 100) / totalBytes)} %`,
  ]);
  const list = rows.length === 0 ? '' : `\n${table(['MOUNT', 'TYPE', 'USED', 'SIZE', 'USE'], rows)}`;
  return `${facts.join('\n')}\n${list}`;
}

function percent(value: number | null): string {
  return value === null ? 'not told' : `${value} %`;
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(2)} GiB`;
}
