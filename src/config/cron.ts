import { Cron } from 'croner';
import { textField } from '../probes/fields.js';

/** Minute, hour, day of the month, month, day of the week; no seconds, no nicknames, no dates. */
const FIVE_FIELDS = /^[0-9A-Za-z*,/-]+( +[0-9A-Za-z*,/-]+){4}$/;
const MAX_CHARS = 100;

function parse(expression: string): Cron | undefined {
  if (expression.length > MAX_CHARS || !FIVE_FIELDS.test(expression)) return undefined;
  try {
    return new Cron(expression, { mode: '5-part', timezone: 'UTC', paused: true });
  } catch {
    return undefined;
  }
}

/**
 * When a cron expression (five fields, UTC) comes up first after `afterMs`; null when it never does, or is none. Where
 * both days are restricted, either is enough, as in every cron.
 */
export function nextCronMs(expression: string, afterMs: number): number | null {
  return parse(expression)?.nextRun(new Date(afterMs))?.getTime() ?? null;
}

function problemOf(text: string): string | undefined {
  if (parse(text) === undefined)
    return `is not a cron expression ("${text}"); write minute, hour, day, month and weekday in UTC, such as 30 3 * * Sun`;
  if (nextCronMs(text, Date.UTC(2000, 0, 1)) === null)
    return `never comes up ("${text}"); name a day that exists, such as 30 3 1 * *`;
  return undefined;
}

export const cronField = textField({ unit: 'cron expression', example: '30 3 * * Sun' }, problemOf);
