/** Timers of a real daemon are late, by much less than looks are apart. */
const SAME_MS = 500;

interface Look {
  readonly purpose: string;
  readonly askedAtMs: number;
}

/** What its id says of a fresh look; undefined: it is of a former version, which did not say it. */
function lookOf(confirmId: string): Look | undefined {
  const [, purpose, askedAtMs] = /\/([a-z]+)@(\d+)$/.exec(confirmId) ?? [];
  return purpose === undefined ? undefined : { purpose, askedAtMs: Number(askedAtMs) };
}

/**
 * Whether what a daemon's look found answers the look that the replay waits for. A daemon that asks anew before it has an
 * answer takes no notice of the former one; so must a replay.
 */
export function answers(recordedId: string, waitingId: string): boolean {
  const recorded = lookOf(recordedId);
  const waiting = lookOf(waitingId);
  if (recorded === undefined || waiting === undefined) return true;
  return recorded.purpose === waiting.purpose && recorded.askedAtMs > waiting.askedAtMs - SAME_MS;
}
