/** Marks an error after which waiting on makes no sense. */
export const final = (error) => Object.assign(error, { final: true });

/** Polls until `look` gives something other than undefined; throws after `deadlineMs` with what was waited for,
 * at once when `look` throws an error marked `final`. */
export async function until(what, deadlineMs, look, everyMs = 100) {
  const end = Date.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      if (error.final) throw error;
      last = error;
    }
    if (Date.now() > end)
      throw new Error(`not seen within ${deadlineMs / 1000} s: ${what}${last ? ` (${last.message})` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
