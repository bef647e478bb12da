import type { StatsAnswer } from '../../daemon/answers/guests.js';
import { table } from './table.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export function statsText(stats: StatsAnswer): string {
  const { cpu, memory, load, disks } = stats;
  const waits = cpu === undefined ? '' : `, ${cpu.ioWaitPercent} % I/O wait, ${cpu.stealPercent} % stolen`;
  const available =
    memory === undefined
      ? ''
      : `, ${amount(memory.availableBytes)} of ${amount(memory.totalBytes)} available`;
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
    amount(usedBytes),
    amount(totalBytes),
    totalBytes === 0 ? '-' : `${Math.round((usedBytes * 100) / totalBytes)} %`,
  ]);
  const list = rows.length === 0 ? '' : `\n${table(['MOUNT', 'TYPE', 'USED', 'SIZE', 'USE'], rows)}`;
  return `${facts.join('\n')}\n${list}`;
}

function percent(value: number | null): string {
  return value === null ? 'not told' : `${value} %`;
}

function amount(bytes: number): string {
  return bytes < GIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${(bytes / GIB).toFixed(2)} GiB`;
}
