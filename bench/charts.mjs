// The charts of a run, as files beside its JSON.
import { writeFile } from 'node:fs/promises';
import { barChart, lineChart } from '../dist/bench/index.js';

/** Writes `<stem>-<chart>.svg`; resolves with the paths. What is not above the noise is left out. */
export async function writeCharts(stem, { cpuRows: allRows, figures, basis }) {
  const charts = {};
  const cpuRows = allRows.filter((row) => row[basis] !== null);
  for (const kind of new Set(cpuRows.map((row) => row.kind))) {
    const rows = cpuRows.filter((row) => row.kind === kind && row.what === undefined);
    if (rows.length === 0) continue;
    const bars = rows
      .map((row) => ({ label: row.peer, value: row[basis].median, own: row.peer === 'vmpulse' }))
      .sort((a, b) => a.value - b.value);
    charts[`cpu-${kind}`] = barChart(`CPU a probe, ${kind}`, 'µs', bars);
  }
  const spread = cpuRows.filter((row) => row.what === 'same rate');
  if (spread.length > 1) {
    const lines = [...new Set(spread.map(({ peer }) => peer))].map((peer) => ({
      label: peer,
      points: spread.filter((row) => row.peer === peer).map((row) => [row.targets, row[basis].median]),
    }));
    charts.targets = lineChart('CPU a TCP probe at 5,000 probes a second', 'targets', 'µs', lines);
  }
  const late = figures.filter((row) => row.kind === 'lateness');
  if (late.length > 0) {
    const bars = late.map((row) => ({
      label: row.name,
      value: row.value,
      own: row.name.includes('half loaded'),
    }));
    charts.lateness = barChart('How late probes start, 10,000 a second', 'ms', bars);
  }
  const paths = [];
  for (const [name, svg] of Object.entries(charts)) {
    paths.push(`${stem}-${name}.svg`);
    await writeFile(paths.at(-1), svg);
  }
  return paths;
}
