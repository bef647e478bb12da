import type { ChannelsAnswer, NotifyTestAnswer } from '../../daemon/answers/notifications.js';
import { table } from './table.js';

export function channelsText({ channels }: ChannelsAnswer): string {
  if (channels.length === 0)
    return 'nobody is told; add a channel with vmpulse notify add, or to notifications.channels of the configuration\n';
  const rows = channels.map(({ name, kind, target, level, vms, waiting, trouble }) => [
    name,
    kind,
    target,
    level,
    vms.length === 0 ? 'all' : vms.join(' '),
    String(waiting),
    trouble ?? '-',
  ]);
  return table(['CHANNEL', 'KIND', 'TARGET', 'LEVEL', 'VMS', 'WAITING', 'TROUBLE'], rows);
}

export function notifyTestText({ tests }: NotifyTestAnswer): string {
  return tests.map(({ channel, result, text }) => `${channel}: ${result}, ${text}\n`).join('');
}
