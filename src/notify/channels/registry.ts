import type { NotifyWay } from '../../model/notification.js';
import type { Sending } from './channel.js';
import { sendEmail } from './email.js';
import { sendExec } from './exec.js';
import { sendSlack } from './slack.js';
import { sendWebhook } from './webhook.js';

/** Sends by any way. Rejects with Undelivered, or what is to be tried again. */
export function sendBy(way: NotifyWay, sending: Sending): Promise<void> {
  switch (way.kind) {
    case 'email':
      return sendEmail(way, sending);
    case 'slack':
      return sendSlack(way, sending);
    case 'webhook':
      return sendWebhook(way, sending);
    case 'exec':
      return sendExec(way, sending);
  }
}
