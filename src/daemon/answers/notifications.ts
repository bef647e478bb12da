import { z } from 'zod';
import { NOTIFY_LEVELS } from '../../model/notification.js';
import { names, oneOf, shown } from './shown.js';

export const channelsAnswer = z.looseObject({
  channels: z.array(
    z.looseObject({
      name: shown,
      kind: oneOf(['email', 'slack', 'webhook', 'exec']),
      target: shown,
      level: oneOf(Object.keys(NOTIFY_LEVELS)),
      vms: names,
      origin: oneOf(['configuration', 'added']),
      waiting: z.number(),
      trouble: shown.nullable(),
    }),
  ),
});

export const notifyTestAnswer = z.looseObject({
  tests: z.array(z.looseObject({ channel: shown, result: oneOf(['sent', 'failed']), text: shown })),
});

export type ChannelsAnswer = z.output<typeof channelsAnswer>;
export type NotifyTestAnswer = z.output<typeof notifyTestAnswer>;
