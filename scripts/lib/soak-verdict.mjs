/** Growth of the resident memory from the second quarter of a run to the last one that is noise of the allocators. */
const RSS_NOISE_MIB = 12;

/**
 * What a soak run shows: memory and descriptors that stay, no panic, and that all it was to meet was met.
 *
 * @returns {{ name: string, ok: boolean, detail: string }[]}
 */
export function judge(report) {
  const { samples, descriptors, outcomes } = report;
  const quarter = Math.floor(samples.length / 4);
  const rss = (from, to) => median(samples.slice(from, to).map(({ rssMiB }) => rssMiB));
  const [early, late] = [rss(quarter, 2 * quarter), rss(-quarter, undefined)];
  const met = (reason) => outcomes.some((outcome) => outcome.reason === reason);
  const missing = ['ok', 'connection-refused', 'bad-status', 'response-timeout', 'api-unreachable'].filter(
    (reason) => !met(reason),
  );
  return [
    {
      name: 'memory',
      ok: quarter > 0 && late - early <= RSS_NOISE_MIB,
      detail: `RSS ${early.toFixed(1)} MiB in the second quarter, ${late.toFixed(1)} MiB in the last`,
    },
    {
      name: 'descriptors',
      ok: descriptors.left <= descriptors.atFirst,
      detail: `${descriptors.atFirst} before the first target, ${descriptors.left} after the last`,
    },
    { name: 'panics', ok: report.reactorPanics === 0, detail: `${report.reactorPanics}` },
    {
      name: 'mixture',
      ok: missing.length === 0 && report.churned > 0 && report.channelEvents > 0,
      detail:
        missing.length === 0 ? `${report.churned} targets came and went` : `never met: ${missing.join(', ')}`,
    },
  ];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
