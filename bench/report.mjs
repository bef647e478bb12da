// Figures: from samples to rows, and from rows to a table.

/**
 * One figure. `samples` are the rounds' results and `value` is their median, unless given (a percentile of samples).
 * `goal` is what docs/internals/performance.md aims at; it is shown, never asserted.
 */
export function figure({ name, kind, targets = null, rate = null, unit, goal = null }, samples, value) {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = percentile(sorted, 0.5);
  const [min, max] = [sorted[0], sorted.at(-1)];
  return { name, kind, targets, rate, value: value ?? median, unit, min, median, max, goal };
}

/** Of sorted samples: the smallest that at least this share does not exceed; halves of two for the median. */
export function percentile(sorted, share) {
  if (sorted.length === 0) throw new Error('no samples');
  const middle = sorted.length / 2;
  if (share === 0.5 && Number.isInteger(middle)) return (sorted[middle - 1] + sorted[middle]) / 2;
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** Medians of two figures of this run, one by the other. */
export function ratio(name, over, under, goal = null) {
  return { name, value: over.median / under.median, goal };
}

const HEAD = ['figure', 'targets', 'rate/s', 'value', 'min', 'median', 'max', 'unit', 'goal'];

export function resultTable(results) {
  const rows = results.map((row) => [
    row.name,
    count(row.targets),
    count(row.rate),
    ...[row.value, row.min, row.median, row.max].map(short),
    row.unit,
    row.goal ?? '',
  ]);
  return table([HEAD, ...rows]);
}

export function ratioTable(ratios) {
  const rows = ratios.map(({ name, value, goal }) => [name, `${short(value)} ×`, goal ?? '']);
  return table([['ratio of medians', 'value', 'goal'], ...rows]);
}

function count(number) {
  return number === null ? '' : Math.round(number).toLocaleString('en');
}

/** Three significant digits, no exponent. */
function short(number) {
  if (Math.abs(number) >= 100) return Math.round(number).toLocaleString('en');
  return String(Number(number.toPrecision(3)));
}

/** First column to the left, the rest to the right; a rule under the head. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  const [head, ...rest] = lines;
  return [head, '-'.repeat(head.length), ...rest].join('\n');
}
