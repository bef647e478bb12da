// Figures: from samples to rows, and from rows to tables.

/** One figure. `samples` are the rounds' results and `value` is their median, unless given (a percentile of samples). */
export function figure({ name, kind, targets = null, rate = null, unit }, samples, value) {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = percentile(sorted, 0.5);
  const [min, max] = [sorted[0], sorted.at(-1)];
  return { name, kind, targets, rate, value: value ?? median, unit, min, median, max };
}

/** Two figures of the same samples, ms: p50 and p99. */
export function percentiles({ name, ...of }, samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return [0.5, 0.99].map((share) =>
    figure({ ...of, name: `${name}, p${share * 100}`, unit: 'ms' }, samples, percentile(sorted, share)),
  );
}

/** CPU a probe of one prober: its rounds by both ways of counting (meter.mjs); null where a round is not above the noise. */
export function cpuRow({ peer, kind, targets, rate, what }, runs) {
  const name = `${kind} by ${peer}${what === undefined ? '' : `, ${what}`}`;
  const of = { name, kind, targets, unit: 'µs' };
  const cost = (way) => {
    const samples = runs.map((run) => run[way]).filter(({ isMeasured }) => isMeasured);
    // A mean of the lucky rounds would be too much.
    if (samples.length < runs.length) return null;
    return figure(
      of,
      samples.map(({ us }) => us),
    );
  };
  return {
    ...{ name, peer, kind, targets, rate, what },
    probesPerSecond: figure(
      of,
      runs.map((run) => run.rate),
    ).median,
    core: cost('core'),
    tree: cost('tree'),
    foreignShare: Math.max(...runs.map((run) => run.foreignShare)),
  };
}

/** Of sorted samples: the smallest that at least this share does not exceed; halves of two for the median. */
export function percentile(sorted, share) {
  if (sorted.length === 0) throw new Error('no samples');
  const middle = sorted.length / 2;
  if (share === 0.5 && Number.isInteger(middle)) return (sorted[middle - 1] + sorted[middle]) / 2;
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** What is said of CPU time that cannot be told from that of the machine itself. */
const NOISE = 'noise';

/** CPU a probe, both ways of counting. */
export function cpuTable(rows) {
  const cells = rows.map(({ name, targets, probesPerSecond, core, tree }) => [
    name,
    count(targets),
    count(probesPerSecond),
    ...[tree, core].flatMap((cost) =>
      cost === null ? [NOISE, '', ''] : [cost.median, cost.min, cost.max].map(short),
    ),
  ]);
  const head = ['CPU a probe, µs', 'targets', 'rate/s', 'process', 'min', 'max', 'core', 'min', 'max'];
  return table([head, ...cells]);
}

export function figureTable(figures) {
  const rows = figures.map((row) => [
    row.name,
    count(row.targets),
    ...[row.value, row.min, row.median, row.max].map(short),
    row.unit,
  ]);
  return table([['figure', 'targets', 'value', 'min', 'median', 'max', 'unit'], ...rows]);
}

/** `basis`: which figures ratios are of, unless their row says so. */
export function goalTable(ratios, basis) {
  const rows = Object.entries(ratios).map(([name, { value, target, met, why, basis: own = basis }]) => [
    name,
    value === null ? '' : short(value),
    target,
    met === null ? why : `${met ? 'met' : 'missed'}${own === basis ? '' : ', by process'}`,
  ]);
  return table([['goal', 'value', 'target', ''], ...rows]);
}

function count(number) {
  return number === null ? '' : Math.round(number).toLocaleString('en');
}

/** Three significant digits, no exponent. */
function short(number) {
  if (Math.abs(number) >= 100) return Math.round(number).toLocaleString('en');
  return String(Number(number.toPrecision(3)));
}

/** First column to the left, the rest to the right; Markdown, so that it can be copied into a page. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [head, ...rest] = rows;
  return [line(head), rule, ...rest.map(line)].join('\n');
}
