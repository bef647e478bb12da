import { Counter, Gauge } from 'prom-client';
import type { Making } from './making.js';

export interface NotifyMetrics {
  /** Counts one attempt to tell a channel, or the control plane (`report`). */
  delivery(channel: string, result: 'sent' | 'failed' | 'dropped'): void;
  /** Notes how many messages wait for a channel. */
  spool(channel: string, size: number): void;
}

export function makeNotifyMetrics({ registers }: Making): NotifyMetrics {
  const deliveries = new Counter({
    name: 'vmpulse_notifications_total',
    help: 'Attempts to deliver a message, by channel and result; dropped: given up or left out. Channel report: to the control plane.',
    labelNames: ['channel', 'result'],
    registers,
  });
  const spool = new Gauge({
    name: 'vmpulse_notification_spool',
    help: 'Messages that wait to be delivered, by channel.',
    labelNames: ['channel'],
    registers,
  });
  return {
    delivery: (channel, result) => deliveries.inc({ channel, result }),
    spool: (channel, size) => spool.set({ channel }, size),
  };
}
