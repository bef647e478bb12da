import { z } from 'zod';
import { SEVERITIES } from '../model/notification.js';
import { plainText } from '../model/plain-text.js';

const MAX_SUBJECT_CHARS = 200;
const MAX_LINE_CHARS = 1000;

export const noticeSchema = z.object({
  kind: z.string(),
  severity: z.enum(SEVERITIES),
  atMs: z.number(),
  text: z.string(),
});

const incident = z.object({
  /** The same in every message about it. */
  id: z.string(),
  vm: z.string().nullable(),
  isOver: z.boolean(),
  notices: z.array(noticeSchema),
});

/** What one message tells: what is new of some incidents. */
export const messageSchema = z.object({
  host: z.string(),
  severity: z.enum(SEVERITIES),
  incidents: z.array(incident),
  /** Incidents that are left out for their number. */
  more: z.number(),
});

export type Message = z.output<typeof messageSchema>;
export type ToldIncident = z.output<typeof incident>;

/** One line, for a subject or headline. */
export function subjectOf({ host, severity, incidents, more }: Message): string {
  const count = incidents.length + more;
  const [first] = incidents;
  const last = first?.notices.at(-1);
  const what =
    count === 1 && first && last
      ? `${first.vm ?? 'host'}: ${first.isOver ? 'over' : last.kind}, ${last.text}`
      : `${count} incidents: ${namesOf(incidents)}`;
  const subject = `[vmpulse ${host}] ${severity}: ${what}`;
  return plainText(subject, MAX_SUBJECT_CHARS);
}

function namesOf(incidents: readonly ToldIncident[]): string {
  return [...new Set(incidents.map(({ vm }) => vm ?? 'host'))].slice(0, 5).join(', ');
}

/** All of it, line by line. */
export function linesOf({ incidents, more }: Message): readonly string[] {
  const lines = incidents.flatMap(({ vm, isOver, notices }) => [
    `${vm ?? 'host'}${isOver ? ' (over)' : ''}`,
    ...notices.map(
      ({ atMs, severity, kind, text }) =>
        `  ${new Date(atMs).toISOString()} ${severity} ${kind}: ${plainText(text, MAX_LINE_CHARS)}`,
    ),
  ]);
  return more === 0 ? lines : [...lines, `and ${more} more`];
}
