import type { BenchReport } from '../../bench/index.js';
import { bar, redrawn } from './bar.js';
import type { Paint } from './paint.js';
import { table } from './table.js';

/** A bar that grows with `share`, to be drawn over itself. */
export function progressLine(share: number, durationMs: number): string {
  const seconds = ((share * durationMs) / 1000).toFixed(0);
  return redrawn(`${bar(share)} ${seconds} of ${(durationMs / 1000).toFixed(0)} s`);
}

/** The result for a person. */
export function benchText(report: BenchReport, paint: Paint): string {
  const { latenessMs: late } = report;
  const head = paint.strong(
    `${report.kind}, ${count(report.targets)} targets, one probe each in ${report.periodMs} ms`,
  );
  const facts: [string, string][] = [
    ['probes a second', count(report.probesPerSecond)],
    ['CPU a probe', `${report.cpuUsPerProbe.toFixed(1)} µs`],
    [
      'start lateness',
      `p50 ${late.p50.toFixed(2)} ms, p99 ${late.p99.toFixed(2)} ms, max ${late.max.toFixed(2)} ms`,
    ],
    ['memory a target', `${count(report.bytesPerTarget)} B`],
    [
      'measured',
      `${(report.durationMs / 1000).toFixed(1)} s, ${count(report.probes)} probes, ${report.reactor}`,
    ],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(17)}${value}\n`).join('');
  const rows = Object.entries(report.outcomes).map(([reason, probes]) => [
    { text: reason, paint: reason === 'ok' ? paint.good : paint.bad },
    count(probes),
    `${((100 * probes) / Math.max(1, report.probes)).toFixed(2)} %`,
  ]);
  return `${head}\n${lines}\n${table(['OUTCOME', 'PROBES', 'SHARE'], rows)}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
