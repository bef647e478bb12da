const seconds = (ms) => (ms === null ? '–' : `${(ms / 1000).toFixed(1)} s`);

/** The table that ends a scripted demonstration. */
export function table(results) {
  const head = ['fault', 'VM', 'diagnosis', 'remedy', 'detected after', 'healed after', 'verdict'];
  const rows = results.map((r) => [
    r.fault,
    r.vm,
    r.diagnosis || '–',
    r.remedy || '–',
    seconds(r.detectMs),
    seconds(r.healMs),
    r.healed ? 'healed' : `NOT healed: ${r.wrong.join('; ')}`,
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}
