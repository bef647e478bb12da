import { z } from 'zod';
import { channelFields } from '../../config/index.js';
import { VmpulseError } from '../../model/errors.js';
import type { NewChannel } from '../../notify/index.js';
import { channelsAnswer, notifyTestAnswer } from '../answers/notifications.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const { name, address, url, glob, level } = channelFields;
const addBody = z.strictObject({
  name,
  level: level.optional(),
  vms: z.array(glob).max(64).optional(),
  email: z.array(address).min(1).max(32).optional(),
  slack: url.optional(),
  webhook: url.optional(),
});
const removeBody = z.strictObject({ name });
const testBody = z.strictObject({ channel: name.optional() });

/** Who is told of what happens. */
export function notificationRoutes({ notifier }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/notifications',
      scope: 'read',
      summary: 'The channels by which people are told, with what waits and what went wrong last.',
      answer: channelsAnswer,
      handle: () => ({ channels: notifier.list() }),
    }),
    post({
      path: '/v1/notifications/add',
      scope: 'admin',
      summary: 'Adds a channel.',
      body: addBody,
      answer: channelsAnswer,
      handle: async ({ body, author }) => ({ channels: await notifier.add(newChannel(body), author) }),
    }),
    post({
      path: '/v1/notifications/remove',
      scope: 'admin',
      summary: 'Removes a channel that was added.',
      body: removeBody,
      answer: channelsAnswer,
      handle: async ({ body, author }) => ({ channels: await notifier.remove(body.name, author) }),
    }),
    post({
      path: '/v1/notifications/test',
      scope: 'operate',
      summary: 'Sends a test by one channel, or by all.',
      body: testBody,
      answer: notifyTestAnswer,
      deadlineMs: 30_000,
      handle: async ({ body: { channel } }) => ({ tests: await notifier.test(channel) }),
    }),
  ];
}

function newChannel({ email, slack, webhook, ...rest }: z.output<typeof addBody>): NewChannel {
  const ways: NewChannel['way'][] = [
    ...(email === undefined ? [] : [{ kind: 'email' as const, to: email }]),
    ...(slack === undefined ? [] : [{ kind: 'slack' as const, url: slack }]),
    ...(webhook === undefined ? [] : [{ kind: 'webhook' as const, url: webhook }]),
  ];
  const [way] = ways;
  if (way === undefined || ways.length > 1) {
    const text = 'a channel tells by one way; give one of email, slack and webhook';
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }
  return { name: rest.name, level: rest.level ?? 'warnings', vms: rest.vms ?? [], way };
}
