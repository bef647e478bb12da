/** How each kind fared. */
export function table(results) {
  const kinds = [...new Set(results.map(({ fault }) => fault))].sort();
  const rows = kinds.map((kind) => {
    const of = results.filter(({ fault }) => fault === kind);
    const seconds = of
      .filter(({ healed }) => healed)
      .map(({ healMs }) => healMs / 1000)
      .sort((a, b) => a - b);
    const middle = seconds[Math.floor(seconds.length / 2)];
    return [
      kind,
      of.length,
      seconds.length,
      middle?.toFixed(1) ?? '–',
      seconds.at(-1)?.toFixed(1) ?? '–',
    ].map(String);
  });
  const head = ['fault', 'made', 'healed', 'median s', 'longest s'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}
