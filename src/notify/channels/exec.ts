import type { NotifyWay } from '../../model/notification.js';
import { plainText } from '../../model/plain-text.js';
import { runChildOrLeave } from '../../probes/command/child.js';
import { chooseRunner } from '../../runtime/hooks/trusted-file.js';
import { linesOf, subjectOf } from '../message.js';
import { Undelivered } from '../undelivered.js';
import type { Send } from './channel.js';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A program of this host, with the message as JSON on its standard input; exit status 0 means that it is delivered. */
export const sendExec: Send<Extract<NotifyWay, { kind: 'exec' }>> = async (
  { argv, user },
  { id, atMs, message, signal },
) => {
  const { user: asUser, refused } = await chooseRunner(argv[0] ?? '', user, signal).catch(
    (error: unknown) => {
      throw signal.aborted ? new Undelivered('the program could not be looked at in time') : error;
    },
  );
  if (refused !== undefined) throw new Undelivered(refused);
  const subject = subjectOf(message);
  const env = {
    PATH,
    LANG: 'C.UTF-8',
    VMPULSE_NOTIFICATION_ID: id,
    VMPULSE_HOST: message.host,
    VMPULSE_SEVERITY: message.severity,
    VMPULSE_SUBJECT: subject,
    VMPULSE_TEXT: linesOf(message).join('\n').slice(0, 32_768),
  };
  const input = `${JSON.stringify({ version: 1, id, atMs, subject, ...message })}\n`;
  const end = await runChildOrLeave({ argv, cwd: '/', env, user: asUser, signal, input });
  if (end === undefined || signal.aborted) throw new Undelivered('the program did not end in time');
  if (end.code === 0) return;
  const how = end.endedBy === null ? `exit status ${end.code}` : `ended by ${end.endedBy}`;
  throw new Undelivered(plainText(`${how}: ${end.stderr.trim() || end.stdout.trim()}`, 300));
};
