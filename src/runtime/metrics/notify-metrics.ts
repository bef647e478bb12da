import { Counter, Gauge } from 'prom-client';
import type { Making } from './making.js';

const RESULTS = ['sent', 'failed', 'dropped'] as const;

export interface NotifyMetrics {
  /** A channel, or the control plane (`report`), is told from now on; how many messages wait is read at each scrape. */
  channelOpened(channel: string, waiting: () => number): void;
  channelRemoved(channel: string): void;
  /** Counts one attempt to tell it. */
  delivery(channel: string, result: (typeof RESULTS)[number]): void;
}

export function makeNotifyMetrics({ registers }: Making): NotifyMetrics {
  const waitingOf = new Map<string, () => number>();
  const deliveries = new Counter({
    name: 'vmpulse_notifications_total',
    help: 'Attempts to deliver a message, by channel and result; dropped: given up or left out. Channel report: to the control plane.',
    labelNames: ['channel', 'result'],
    registers,
  });
  new Gauge({
    name: 'vmpulse_notification_spool',
    help: 'Messages that wait to be delivered, by channel.',
    labelNames: ['channel'],
    registers,
    collect() {
      this.reset();
      for (const [channel, waiting] of waitingOf) this.set({ channel }, waiting());
    },
  });
  return {
    channelOpened: (channel, waiting) => {
      waitingOf.set(channel, waiting);
      // A series that begins with the first message that is given up has not increased, so no alert would fire.
      for (const result of RESULTS) deliveries.inc({ channel, result }, 0);
    },
    channelRemoved: (channel) => {
      waitingOf.delete(channel);
      for (const result of RESULTS) deliveries.remove({ channel, result });
    },
    delivery: (channel, result) => deliveries.inc({ channel, result }),
  };
}
