import { isDeepStrictEqual } from 'node:util';
import type { DaemonConfig } from '../config/index.js';
import type { ReportSettings } from '../model/notification.js';
import { Reporter, type ReporterOptions } from '../notify/index.js';
import type { Metrics } from '../runtime/metrics/metrics.js';
import type { LivePart, Prepared } from './live.js';

const CHANNEL = 'report';

export interface LiveReportOptions extends Omit<ReporterOptions, 'settings' | 'onDelivery'> {
  readonly metrics: Pick<Metrics, 'delivery' | 'channelOpened' | 'channelRemoved'>;
}

/** The report to a control plane, where that is configured. What waits for one is for that of now, whichever it is. */
export class LiveReport implements LivePart {
  readonly #options: LiveReportOptions;
  #settings: ReportSettings | undefined;
  #reporter: Reporter | undefined;

  constructor(options: LiveReportOptions) {
    this.#options = options;
  }

  async check(): Promise<void> {}

  async prepare({ report }: DaemonConfig): Promise<Prepared> {
    return { commit: () => this.#use(report), discard: () => {} };
  }

  start(settings: ReportSettings | undefined): void {
    const { metrics, ...options } = this.#options;
    this.#settings = settings;
    if (settings === undefined) return;
    const onDelivery = (result: 'sent' | 'failed') => metrics.delivery(CHANNEL, result);
    const reporter = new Reporter({ ...options, settings, onDelivery });
    this.#reporter = reporter;
    metrics.channelOpened(CHANNEL, () => reporter.waiting);
    void reporter.start();
  }

  async close(): Promise<void> {
    await this.#reporter?.close();
  }

  async #use(settings: ReportSettings | undefined): Promise<void> {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    await this.close();
    this.#reporter = undefined;
    this.#options.mend('report');
    if (settings === undefined) this.#options.metrics.channelRemoved(CHANNEL);
    this.start(settings);
  }
}
