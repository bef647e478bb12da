import { parseDuration } from '../config/duration.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

/** Reads a time of the command line as milliseconds, more than none. Throws ERR_VMPULSE_USAGE. */
export function parseTime(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new VmpulseError(
    'ERR_VMPULSE_USAGE',
    `"${plainText(text)}" is no time; write for example 500ms, 10m or 1h30m`,
  );
}
