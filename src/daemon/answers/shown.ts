import { z } from 'zod';
import { plainText } from '../../model/plain-text.js';

const MAX_SHOWN_CHARS = 4096;

/** Text that may come from a guest: as it is on the wire, with control characters escaped once a client has read it. */
export const shown = z.string().transform((text) => plainText(text, MAX_SHOWN_CHARS));

export const names = z.array(shown);

/** One of these words today; a later version may have more. */
export function oneOf(words: readonly string[]) {
  return shown.meta({ examples: [...words] });
}
