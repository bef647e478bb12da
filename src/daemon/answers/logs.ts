import { z } from 'zod';
import { LOG_SOURCES } from '../../lifecycle/vm-logs.js';
import { oneOf, shown } from './shown.js';

/** Text is as it was written. */
export const logAnswer = z.looseObject({
  vm: shown,
  source: oneOf(LOG_SOURCES),
  text: z.string(),
  file: shown.nullable(),
  next: z.number(),
});
