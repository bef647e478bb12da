import type { StatsAnswer } from '../../daemon/answers/guests.js';
import { table } from './table.js';

const GIB = 1024 ** 3;

export function statsText(stats: StatsAnswer): string {
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
