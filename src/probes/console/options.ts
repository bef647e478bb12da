import { RE2JS } from 're2js';
import { z } from 'zod';
import { given } from '../../model/given.js';
import type { ConsoleOptions } from '../../model/probe.js';
import { absolutePathField, countField, textField } from '../fields.js';

const MAX_PATTERN_CHARS = 1024;
const DAY_S = 86_400;

/** What is wrong with a pattern for the lines of a console, or undefined. */
export function patternProblem(text: string): string | undefined {
  if (text === '') return 'is empty; write what to look for';
  if (text.length > MAX_PATTERN_CHARS) return `is longer than ${MAX_PATTERN_CHARS} characters; shorten it`;
  try {
    RE2JS.compile(text);
    return undefined;
  } catch {
    return 'is not a regular expression of RE2; check brackets and escapes, there is no look-around and no back-reference';
  }
}

const patternField = (example: string) => textField({ unit: 'regular expression', example }, patternProblem);
const seconds = (example: string) => countField({ unit: 's', example }, 1, DAY_S);

/** Options of a console probe as documents write them. */
export const consoleSchema = z
  .strictObject({
    file: absolutePathField.optional(),
    seen: patternField('login:').optional(),
    notSeen: patternField('Kernel panic').optional(),
    windowSeconds: seconds('300').optional(),
    silentAfterSeconds: seconds('600').optional(),
  })
  .superRefine(({ seen, notSeen, windowSeconds, silentAfterSeconds }, ctx) => {
    const hasPattern = seen !== undefined || notSeen !== undefined;
    const refuse = (path: string[], message: string) => ctx.addIssue({ code: 'custom', message, path });
    if (!hasPattern && silentAfterSeconds === undefined)
      refuse([], 'looks for nothing; write seen, notSeen or silentAfterSeconds');
    if (windowSeconds !== undefined && !hasPattern)
      refuse(['windowSeconds'], 'is about seen and notSeen; write one of them, or remove it');
  })
  .transform(
    ({ file, seen, notSeen, windowSeconds, silentAfterSeconds }): ConsoleOptions => ({
      ...given({ file, seen, notSeen }),
      ...(windowSeconds === undefined ? {} : { windowMs: windowSeconds * 1000 }),
      ...(silentAfterSeconds === undefined ? {} : { silentAfterMs: silentAfterSeconds * 1000 }),
    }),
  );
