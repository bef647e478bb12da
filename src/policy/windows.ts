import type { ActionWindow } from '../model/vm.js';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** 1970-01-01 was a Thursday. */
const EPOCH_DAY = 4;

/**
 * When scheduled maintenance may begin next, `now` if it may at once: in the first of the windows that is open then.
 * A window of no length is never open; without any window it may always.
 */
export function nextOpenMs(windows: readonly ActionWindow[], now: number): number {
  if (windows.length === 0) return now;
  const minute = minuteOfWeek(now);
  const waits = windows.flatMap((window) => waitsFor(window, minute));
  const wait = Math.min(...waits);
  if (wait === 0) return now;
  return (Math.floor(now / MINUTE_MS) + wait) * MINUTE_MS;
}

function minuteOfWeek(now: number): number {
  return (Math.floor(now / MINUTE_MS) + EPOCH_DAY * DAY_MINUTES) % WEEK_MINUTES;
}

/** Minutes until the window opens, for each day on which it does; 0: it is open. */
function waitsFor({ days, fromMinute, toMinute }: ActionWindow, minute: number): number[] {
  const length = (toMinute - fromMinute + DAY_MINUTES) % DAY_MINUTES;
  if (length === 0) return [];
  return (days.length > 0 ? days : [0, 1, 2, 3, 4, 5, 6]).map((day) => {
    const since = (minute - (day * DAY_MINUTES + fromMinute) + WEEK_MINUTES) % WEEK_MINUTES;
    return since < length ? 0 : WEEK_MINUTES - since;
  });
}
