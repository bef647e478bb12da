import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { DaemonConfig, MetricsPushConfig } from '../config/index.js';
import { errorMessage } from '../model/errors.js';
import { WorkerPool } from '../pool/index.js';
import type { Metrics } from '../runtime/metrics/metrics.js';
import type { PushTask } from '../runtime/metrics/push/send-metrics.js';
import type { Vmpulse } from '../runtime/vmpulse.js';
import type { LivePart, Prepared } from './live.js';

export interface MetricsPushOptions {
  readonly endpoint: string;
  readonly everyMs: number;
  /** Has the bearer token; read anew each time. Unset: none is sent. */
  readonly tokenFile?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly render: () => Promise<Uint8Array>;
  /** One push has ended; why it failed, or undefined. */
  readonly onEnd: (why: string | undefined) => void;
}

/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../dist/runtime/metrics/push/worker.js', import.meta.url);
/** A thread that does not end by itself by then is ended, ms after its own deadline. */
const GRACE_MS = 1_000;

/**
 * Sends the metrics every so often, from a thread of its own. One push is under way at a time and has until the next is
 * due; what could not be sent by then is left out, so nothing piles up.
 */
export class MetricsPush {
  readonly #options: MetricsPushOptions;
  readonly #pool = new WorkerPool({ maxThreads: 1 });
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: MetricsPushOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.close();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { everyMs, onEnd } = this.#options;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const why = await this.#push().then(
        () => undefined,
        (error: unknown) => errorMessage(error),
      );
      if (signal.aborted) return;
      onEnd(why);
      const restMs = Math.max(0, everyMs - (performance.now() - startedAt));
      await sleep(restMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #push(): Promise<void> {
    const { endpoint, everyMs, tokenFile, labels, render } = this.#options;
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    const text = await render();
    const task: PushTask & { deadlineMs: number } = {
      ...{ endpoint, token, labels, text },
      atMs: Date.now(),
      deadlineMs: everyMs,
    };
    await this.#pool.run(WORKER, task, { deadlineMs: everyMs + GRACE_MS, signal: this.#closing.signal });
  }
}

/** Sends the metrics of a runtime where the configuration says so, and shows while that does not work. */
export class LivePush implements LivePart {
  readonly #instance: string;
  readonly #runtime: Vmpulse;
  readonly #metrics: Metrics;
  #config: MetricsPushConfig | undefined;
  #push: MetricsPush | undefined;

  constructor({ hostName }: DaemonConfig, runtime: Vmpulse, metrics: Metrics) {
    this.#instance = hostName;
    this.#runtime = runtime;
    this.#metrics = metrics;
  }

  async check(): Promise<void> {}

  async prepare({ metrics: { push } }: Pick<DaemonConfig, 'metrics'>): Promise<Prepared> {
    return { commit: () => this.#use(push), discard: () => {} };
  }

  async close(): Promise<void> {
    await this.#push?.close();
  }

  async #use(config: MetricsPushConfig | undefined): Promise<void> {
    if (isDeepStrictEqual(config, this.#config)) return;
    await this.#push?.close();
    this.#runtime.mend('metrics-push');
    this.#config = config;
    this.#push = config && this.#begin(config);
  }

  #begin(config: MetricsPushConfig): MetricsPush {
    const [runtime, metrics] = [this.#runtime, this.#metrics];
    let isFailing = false;
    return new MetricsPush({
      ...config,
      labels: { job: 'vmpulse', instance: this.#instance },
      render: () => runtime.renderMetrics('identity'),
      onEnd: (why) => {
        metrics.pushed(why === undefined ? 'sent' : 'failed');
        if (why === undefined) runtime.mend('metrics-push');
        else if (!isFailing) runtime.degrade('metrics-push', `the metrics could not be sent: ${why}`);
        isFailing = why !== undefined;
      },
    });
  }
}
