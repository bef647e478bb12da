import { createHash } from 'node:crypto';
import { z } from 'zod';
import { matchesGlob } from '../model/glob.js';
import { NOTIFY_LEVELS, type NotifyChannel, SEVERITIES, type Severity } from '../model/notification.js';
import { type Message, noticeSchema, type ToldIncident } from './message.js';
import type { Notice } from './notices.js';

/** Told once in an incident, however often it is found again; so many are remembered, in so many incidents. */
const SEEN_KEPT = 50;
const OPEN_KEPT = 20_000;
/** Of a digest: two that are told of one incident never share so much. */
const DIGEST_CHARS = 12;
const PENDING_KEPT = 1000;
const INCIDENTS_A_MESSAGE = 20;
const NOTICES_AN_INCIDENT = 10;

const pendingNotice = z.object({
  channel: z.string(),
  incident: z.string(),
  vm: z.string().nullable(),
  isOver: z.boolean(),
  notice: noticeSchema,
});

type Pending = z.output<typeof pendingNotice>;

const openIncident = z.object({
  id: z.string(),
  topic: z.string(),
  toldTo: z.array(z.string()),
  /** Digests of what was told in it. */
  seen: z.array(z.string()),
});

type Open = z.output<typeof openIncident>;

/** What outlives the daemon: incidents that are not over, and what is still gathered. */
export const incidentsSchema = z.object({ open: z.array(openIncident), pending: z.array(pendingNotice) });

export type StoredIncidents = z.output<typeof incidentsSchema>;

/**
 * Puts together what belongs to one incident, leaves out what was told in it already, and gathers what each channel is
 * to be told.
 */
export class Incidents {
  readonly #openKept: number;
  readonly #open = new Map<string, Open>();
  #pending: Pending[] = [];
  /** Left out for their number, by channel. */
  readonly #more = new Map<string, number>();

  /** `openKept`: so many incidents are remembered whose end was not told. */
  constructor(openKept = OPEN_KEPT) {
    this.#openKept = openKept;
  }

  get stored(): StoredIncidents {
    return { open: [...this.#open.values()], pending: this.#pending };
  }

  restore({ open, pending }: StoredIncidents): void {
    for (const incident of open) this.#open.set(incident.topic, incident);
    this.#pending = [...pending];
  }

  /** Takes a notice; true: somebody is to be told. */
  take(notice: Notice, channels: readonly NotifyChannel[]): boolean {
    const incident = this.#incidentOf(notice);
    const key = digestOf(notice);
    if (incident.seen.includes(key)) return false;
    incident.seen.push(key);
    if (incident.seen.length > SEEN_KEPT) incident.seen.shift();
    const told = channels.filter((channel) => wants(channel, notice, incident));
    for (const { name } of told) {
      if (!incident.toldTo.includes(name)) incident.toldTo.push(name);
      this.#gather(name, incident, notice);
    }
    if (notice.role === 'close') this.#open.delete(notice.topic);
    return told.length > 0;
  }

  /** Channels for which something is gathered. */
  get waiting(): readonly string[] {
    return [...new Set(this.#pending.map(({ channel }) => channel))];
  }

  /** What is gathered for a channel, as one message, and how many notices that are; undefined: nothing. */
  message(channel: string, host: string): { readonly message: Message; readonly count: number } | undefined {
    const mine = this.#pending.filter((each) => each.channel === channel);
    if (mine.length === 0) return undefined;
    const byId = new Map<string, ToldIncident>();
    for (const { incident: id, vm, isOver, notice } of mine) {
      const known = byId.get(id);
      const notices = [...(known?.notices ?? []), notice].slice(-NOTICES_AN_INCIDENT);
      byId.set(id, { id, vm, isOver: isOver || (known?.isOver ?? false), notices });
    }
    const incidents = [...byId.values()].toSorted((a, b) => rank(worst(b)) - rank(worst(a)));
    const shown = incidents.slice(0, INCIDENTS_A_MESSAGE);
    const more = incidents.length - shown.length + (this.#more.get(channel) ?? 0);
    const severity = shown.map(worst).reduce((a, b) => (rank(b) > rank(a) ? b : a), 'info');
    return { message: { host, severity, incidents: shown, more }, count: mine.length };
  }

  /** The oldest `count` notices of a channel are in safe keeping. */
  told(channel: string, count: number): void {
    let left = count;
    this.#pending = this.#pending.filter((each) => each.channel !== channel || left-- <= 0);
    this.#more.delete(channel);
  }

  #incidentOf({ topic, atMs, role }: Notice): Open {
    const known = this.#open.get(topic);
    if (known !== undefined) return known;
    const incident: Open = { id: `${topic}@${atMs}`, topic, toldTo: [], seen: [] };
    // What only reports something belongs to no incident, unless one is open.
    if (role !== 'open') return incident;
    this.#open.set(topic, incident);
    // Whose end nobody has told for so long: its VM may not be there any more.
    const [oldest] = this.#open.keys();
    if (this.#open.size > this.#openKept && oldest !== undefined) this.#open.delete(oldest);
    return incident;
  }

  #gather(channel: string, { id }: Open, { kind, severity, atMs, text, vm, role }: Notice): void {
    if (this.#pending.filter((each) => each.channel === channel).length >= PENDING_KEPT) {
      this.#more.set(channel, (this.#more.get(channel) ?? 0) + 1);
      return;
    }
    const notice = { kind, severity, atMs, text };
    this.#pending.push({ channel, incident: id, vm, isOver: role === 'close', notice });
  }
}

/** Who heard of an incident hears that it is over, however mild that is. */
function wants({ name, level, vms }: NotifyChannel, notice: Notice, { toldTo }: Open): boolean {
  const { vm } = notice;
  const isAbout = vms.length === 0 || (vm !== null && vms.some((pattern) => matchesGlob(pattern, vm)));
  if (!isAbout) return false;
  const isLoud = rank(notice.severity) >= rank(NOTIFY_LEVELS[level]);
  return notice.role === 'close' ? toldTo.includes(name) || (isLoud && level === 'all') : isLoud;
}

function digestOf({ kind, text }: Notice): string {
  return createHash('sha256').update(`${kind} ${text}`).digest('base64url').slice(0, DIGEST_CHARS);
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

function worst({ notices }: ToldIncident): Severity {
  return notices.map(({ severity }) => severity).reduce((a, b) => (rank(b) > rank(a) ? b : a), 'info');
}
