/** Below 500, after these the same may be taken later: time-out, too early, too many. */
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** Whether what was answered with this status may be taken when it is sent again. */
export function mayPassLater(status: number): boolean {
  return status >= 500 || TRY_AGAIN.has(status);
}
