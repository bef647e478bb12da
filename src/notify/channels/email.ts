import { readFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';
import { errnoOf, errorMessage } from '../../model/errors.js';
import { given } from '../../model/given.js';
import type { NotifyWay, SmtpSettings } from '../../model/notification.js';
import { plainText } from '../../model/plain-text.js';
import { linesOf, subjectOf } from '../message.js';
import { Undelivered } from '../undelivered.js';
import type { Send } from './channel.js';

const SOCKET_MS = 10_000;

/** A mail to all addresses of the channel; those about the same incident are one thread. */
export const sendEmail: Send<Extract<NotifyWay, { kind: 'email' }>> = async (
  { to },
  { id, atMs, message, smtp, secret, signal },
) => {
  if (smtp === undefined) throw new Undelivered('notifications.smtp is not configured');
  const password = smtp.login && (await secret(smtp.login.password));
  const transport = createTransport(await optionsOf(smtp, password));
  const stop = () => transport.close();
  signal.addEventListener('abort', stop, { once: true });
  const lines = [subjectOf(message), '', ...linesOf(message)];
  const thread = message.incidents[0]?.id;
  try {
    // Addresses that were refused beside others that were not do not get it: sent again, the others would have it twice.
    await withdrawable(
      transport.sendMail({
        from: smtp.from,
        to: [...to],
        subject: subjectOf(message),
        date: new Date(atMs),
        messageId: `<${headerWord(id)}@vmpulse>`,
        ...(thread === undefined ? {} : { references: `<${headerWord(thread)}@vmpulse>` }),
        headers: { 'Auto-Submitted': 'auto-generated' },
        text: lines.join('\n'),
        html: `<pre>${lines.map(escapeHtml).join('\n')}</pre>`,
        disableFileAccess: true,
        disableUrlAccess: true,
      }),
      signal,
    );
  } catch (error) {
    throw undelivered(error, smtp, password);
  } finally {
    signal.removeEventListener('abort', stop);
    transport.close();
  }
};

async function optionsOf(
  { host, port, security, login, caFile }: SmtpSettings,
  password: string | undefined,
) {
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8').catch(cannotRead);
  return {
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    connectionTimeout: SOCKET_MS,
    greetingTimeout: SOCKET_MS,
    socketTimeout: SOCKET_MS,
    tls: { minVersion: 'TLSv1.2', ...given({ ca }) } as const,
    ...(login === undefined || password === undefined ? {} : { auth: { user: login.user, pass: password } }),
  };
}

function cannotRead(error: unknown): never {
  throw new Undelivered(errorMessage(error));
}

function withdrawable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Undelivered('no answer in time'));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** What the server said, without the password; refused for good is only what it said of this mail. */
function undelivered(
  error: unknown,
  { host, port }: SmtpSettings,
  password: string | undefined,
): Undelivered {
  if (error instanceof Undelivered) return error;
  const said = errorMessage(error);
  const safe = password === undefined ? said : said.replaceAll(password, '***');
  const isOfMail = ['EENVELOPE', 'EMESSAGE'].includes(errnoOf(error));
  const status =
    error instanceof Error && 'responseCode' in error && typeof error.responseCode === 'number'
      ? error.responseCode
      : 0;
  return new Undelivered(`${host}:${port}: ${plainText(safe, 200)}`, { isFinal: isOfMail && status >= 500 });
}

function headerWord(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9.-]/g, '-').slice(0, 128);
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
