import type { NotifyWay } from '../../model/notification.js';
import { subjectOf } from '../message.js';
import { postJson } from '../post-json.js';
import type { Send } from './channel.js';

/** The message as JSON. */
export const sendWebhook: Send<Extract<NotifyWay, { kind: 'webhook' }>> = async (
  { url, token, caFile },
  { id, atMs, message, secret, signal },
) => {
  const bearer = token && (await secret(token));
  const headers = {
    'idempotency-key': id,
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
  };
  const body = { version: 1, id, atMs, subject: subjectOf(message), ...message };
  await postJson({ url, body, headers, caFile, signal });
};
