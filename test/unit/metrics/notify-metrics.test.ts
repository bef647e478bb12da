import { expect, it, onTestFinished } from 'vitest';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { linesOf, source } from './source.js';

it('tells of each channel what waits now, counts from 0, and forgets one that was removed', async () => {
  const metrics = createMetrics();
  onTestFinished(() => metrics.close());
  metrics.bind(source());
  const told = async () => (await linesOf(metrics)).filter((line) => line.startsWith('vmpulse_notification'));
  let waiting = 3;
  metrics.channelOpened('mail', () => waiting);
  metrics.channelOpened('report', () => 0);
  const report = ['sent', 'failed', 'dropped'].map(
    (result) => `vmpulse_notifications_total{channel="report",result="${result}"} 0`,
  );
  expect(await told()).toEqual([
    'vmpulse_notifications_total{channel="mail",result="sent"} 0',
    'vmpulse_notifications_total{channel="mail",result="failed"} 0',
    'vmpulse_notifications_total{channel="mail",result="dropped"} 0',
    ...report,
    'vmpulse_notification_spool{channel="mail"} 3',
    'vmpulse_notification_spool{channel="report"} 0',
  ]);
  waiting = 0;
  metrics.delivery('mail', 'dropped');
  const later = await told();
  expect(later).toContain('vmpulse_notifications_total{channel="mail",result="dropped"} 1');
  expect(later).toContain('vmpulse_notification_spool{channel="mail"} 0');
  metrics.channelRemoved('mail');
  expect(await told()).toEqual([...report, 'vmpulse_notification_spool{channel="report"} 0']);
});
