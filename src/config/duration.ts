const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const DURATION =
  /^(?:(?<d>\d+(?:\.\d+)?)d)?(?:(?<h>\d+(?:\.\d+)?)h)?(?:(?<m>\d+(?:\.\d+)?)m)?(?:(?<s>\d+(?:\.\d+)?)s)?(?:(?<ms>\d+)ms)?$/;
/** Ten years; anything longer is a slip. */
export const MAX_DURATION_MS = 3650 * 86_400_000;

/** Reads `120s`, `2m`, `1h30m`, `1.5s`, `500ms` as milliseconds; undefined when it is no duration in whole milliseconds up to ten years. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)?.groups;
  if (parts === undefined || text === '') return undefined;
  const sum = UNITS.reduce((total, [unit, factor]) => total + Number(parts[unit] ?? 0) * factor, 0);
  const ms = Math.round(sum);
  return Math.abs(sum - ms) < 1e-3 && ms <= MAX_DURATION_MS ? ms : undefined;
}

/** Writes milliseconds as parseDuration reads them, largest unit first. */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, factor] of UNITS) {
    const count = Math.floor(rest / factor);
    rest -= count * factor;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}
