import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { ReportSettings } from '../model/notification.js';
import type { HostView, RuntimeApi } from '../runtime/views.js';
import { Outbox } from './outbox.js';
import { postJson } from './post-json.js';
import type { ReadSecret } from './secret.js';
import { Spool, type Spooled } from './spool.js';

/** Entries of the journal in one report; the rest comes in the next ones, at once. */
const EVENTS_A_REPORT = 500;
/** A control plane that is back is told within this, ms. */
const MAX_RETRY_MS = 60_000;
const TOLD: ReadonlySet<string> = new Set([
  'health',
  'decision',
  'action-start',
  'action-end',
  'operator',
  'daemon',
]);

const event = z.object({
  seq: z.number(),
  atMs: z.number(),
  vm: z.string().nullable(),
  type: z.string(),
  actionId: z.string().nullable(),
  text: z.string(),
});

const reportSchema = z.object({
  version: z.literal(1),
  host: z.string(),
  vmpulse: z.string(),
  startedAtMs: z.number(),
  atMs: z.number(),
  holds: z.array(z.object({ vm: z.string().nullable(), reason: z.string(), author: z.string() })),
  degradations: z.array(z.object({ what: z.string(), why: z.string() })),
  vms: z.array(
    z.object({
      id: z.string(),
      health: z.string(),
      sinceMs: z.number(),
      ready: z.boolean(),
      state: z.string(),
      address: z.string().nullable(),
      note: z.string(),
    }),
  ),
  /** Of the journal after the last report that was acknowledged. */
  events: z.array(event),
  /** More of the journal follows at once. */
  more: z.boolean(),
  /** The last entry of the journal that it covers. */
  throughSeq: z.number(),
});

export type Report = z.output<typeof reportSchema>;

export interface ReporterOptions {
  readonly settings: ReportSettings;
  readonly stateDir: string;
  readonly runtime: Pick<RuntimeApi, 'view' | 'journal'>;
  readonly clock: Clock;
  readonly secret: ReadSecret;
  readonly degrade: (what: string, why: string) => void;
  readonly mend: (what: string) => void;
  readonly onDelivery: (result: 'sent' | 'failed') => void;
}

/**
 * Tells a control plane how the host is, from time to time, and what happened since it last acknowledged. One report is
 * under way at a time; it waits on disk until it is acknowledged, and is sent again under the same key. What happens
 * meanwhile waits in the journal.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #folder: string;
  readonly #outbox: Outbox<Report>;
  readonly #spool: Spool<Report>;
  #acknowledgedSeq = 0;
  #cancelTimer: () => void = () => {};
  #making: Promise<void> | undefined;
  #closed = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#folder = join(options.stateDir, 'report');
    const { degrade, mend, onDelivery, clock } = options;
    this.#spool = new Spool({
      folder: this.#folder,
      payload: reportSchema,
      maxEntries: 1,
      onDropped: (why) => degrade('report', `a report is left out: ${why}`),
    });
    this.#outbox = new Outbox({
      spool: this.#spool,
      clock,
      maxRetryMs: MAX_RETRY_MS,
      send: (entry, signal) => this.#send(entry, signal),
      onSent: async ({ payload }) => {
        await this.#acknowledge(payload.throughSeq);
        onDelivery('sent');
        mend('report');
        if (payload.more) this.#arm(0);
      },
      onFailed: (_entry, why) => {
        onDelivery('failed');
        degrade('report', `the control plane is not told: ${why}`);
      },
    });
  }

  /** Reports that wait to be acknowledged. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** Goes on with what a former run left. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#spool.load();
      this.#acknowledgedSeq = await this.#readAcknowledged();
    } catch (error) {
      this.#options.degrade('report', `nothing is reported: ${errorMessage(error)}`);
      return;
    }
    this.#outbox.start();
    this.#arm(0);
  }

  /** What was not acknowledged is sent by the next run. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    await this.#making;
    await this.#outbox.close();
  }

  #arm(delayMs: number): void {
    this.#cancelTimer();
    if (this.#closed) return;
    const { clock, settings } = this.#options;
    this.#cancelTimer = clock.at(clock.now() + delayMs, () => {
      this.#making ??= this.#make().finally(() => {
        this.#making = undefined;
      });
      this.#arm(settings.intervalMs);
    });
  }

  /** Never rejects. While one waits, what happens belongs to the next. */
  async #make(): Promise<void> {
    const { clock, runtime, degrade } = this.#options;
    if (this.#outbox.size > 0) return;
    try {
      const atMs = clock.now();
      const payload = { ...summaryOf(runtime.view()), atMs, ...(await this.#events()) };
      await this.#outbox.put({ id: `${payload.host}-${payload.throughSeq}-${atMs}`, atMs, payload });
    } catch (error) {
      degrade('report', `a report cannot be made: ${errorMessage(error)}`);
    }
  }

  async #events(): Promise<Pick<Report, 'events' | 'more' | 'throughSeq'>> {
    // A journal that cannot be read is a degradation of its own, which the report then tells.
    const entries = await this.#options.runtime
      .journal({ afterSeq: this.#acknowledgedSeq, limit: EVENTS_A_REPORT })
      .catch(() => []);
    const events = entries
      .filter(({ type }) => TOLD.has(type))
      .map(({ seq, atMs, vm, type, actionId, text }) => ({ seq, atMs, vm, type, actionId, text }));
    const more = entries.length === EVENTS_A_REPORT;
    return { events, more, throughSeq: entries.at(-1)?.seq ?? this.#acknowledgedSeq };
  }

  async #send({ id, payload }: Spooled<Report>, signal: AbortSignal): Promise<void> {
    const { secret, settings } = this.#options;
    const { url, token, caFile } = settings;
    const headers = { authorization: `Bearer ${await secret(token)}`, 'idempotency-key': id };
    await postJson({ url, body: payload, headers, caFile, signal });
  }

  async #acknowledge(seq: number): Promise<void> {
    this.#acknowledgedSeq = seq;
    await writeDurably(this.#acknowledgedPath, `${seq}\n`);
  }

  async #readAcknowledged(): Promise<number> {
    const text = await readFile(this.#acknowledgedPath, 'utf8').catch(() => '0');
    const seq = Number(text);
    return Number.isSafeInteger(seq) && seq >= 0 ? seq : 0;
  }

  get #acknowledgedPath(): string {
    return join(this.#folder, 'acknowledged');
  }
}

function summaryOf(view: HostView): Omit<Report, 'atMs' | 'events' | 'more' | 'throughSeq'> {
  return {
    version: 1,
    host: view.host,
    vmpulse: view.version,
    startedAtMs: view.startedAtMs,
    holds: view.holds.map(({ vm, reason, author }) => ({ vm, reason, author })),
    degradations: view.degradations.map(({ what, why }) => ({ what, why })),
    vms: view.vms.map(({ id, health, sinceMs, ready, lifeState, address, note }) => ({
      id,
      health,
      sinceMs,
      ready,
      state: lifeState,
      address,
      note,
    })),
  };
}
