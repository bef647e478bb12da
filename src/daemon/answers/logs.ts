import { z } from 'zod';
import { oneOf, shown } from './shown.js';

/** Text is as it was written. */
export const logAnswer = z.looseObject({
  vm: shown,
  source: oneOf(['console', 'vmm', 'commands']),
  text: z.string(),
  file: shown.nullable(),
  next: z.number(),
});
