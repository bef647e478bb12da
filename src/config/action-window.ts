import { z } from 'zod';
import type { ActionWindow } from '../model/vm.js';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const DAY = `(?:${DAYS.join('|')})`;
const TIME = '([01][0-9]|2[0-3]):([0-5][0-9])';
const WINDOW = new RegExp(`^(?:(${DAY}(?:[,-]${DAY})*) )?${TIME}-${TIME}$`);

/** A window as it is written: days (`Mon,Wed` or `Mon-Fri`; none: every day), then from and to, UTC. */
export const windowField = z
  .string()
  .transform((text, ctx): ActionWindow => {
    const window = parseWindow(text);
    if (window !== undefined) return window;
    const message = `is not a window ("${text}"); write days and times in UTC, such as Sat-Sun 22:00-06:00`;
    ctx.issues.push({ code: 'custom', message, input: text });
    return z.NEVER;
  })
  .meta({ unit: 'window', example: 'Sat-Sun 22:00-06:00' });

/** Writes a window as the field takes it. */
export function windowText({ days, fromMinute, toMinute }: ActionWindow): string {
  const names = days.map((day) => DAYS[day]).join(',');
  return `${names === '' ? '' : `${names} `}${timeText(fromMinute)}-${timeText(toMinute)}`;
}

function timeText(minute: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function parseWindow(text: string): ActionWindow | undefined {
  const [, days = '', fromHour, fromMin, toHour, toMin] = WINDOW.exec(text) ?? [];
  if (toMin === undefined) return undefined;
  const fromMinute = Number(fromHour) * 60 + Number(fromMin);
  const toMinute = Number(toHour) * 60 + Number(toMin);
  return fromMinute === toMinute ? undefined : { days: parseDays(days), fromMinute, toMinute };
}

function parseDays(text: string): readonly number[] {
  const days = text.split(',').flatMap((part) => {
    const [first = -1, last = first] = part.split('-').map((day) => DAYS.indexOf(day));
    if (first < 0) return [];
    return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7);
  });
  return [...new Set(days)].sort();
}
