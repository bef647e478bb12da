import { z } from 'zod';
import { given } from '../model/given.js';
import {
  DEFAULT_NOTIFY_SETTINGS,
  NOTIFY_LEVELS,
  type NotifyChannel,
  type NotifyLevel,
  type NotifySettings,
  type NotifyWay,
  type ReportSettings,
  type SecretPlace,
} from '../model/notification.js';
import { isAllowedUrl } from '../model/url.js';
import { argvField, userField } from '../probes/command/options.js';
import {
  absolutePathField,
  countField,
  hasControlCharacters,
  hostField,
  textField,
} from '../probes/fields.js';
import { durationField } from './fields.js';

const CHANNEL_NAME = /^[a-z0-9]([-a-z0-9.]{0,62}[a-z0-9])?$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const ADDRESS = /^[^\s@<>"',;:\\()[\]]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

const nameField = textField({ unit: 'name', example: 'ops-mail' }, (text) =>
  CHANNEL_NAME.test(text)
    ? undefined
    : `is not the name of a channel ("${text}"); use up to 64 lower-case letters, digits, - and .`,
);
const addressField = textField({ unit: 'mail address', example: 'ops@example.com' }, (text) =>
  ADDRESS.test(text) ? undefined : `is not a mail address ("${text}"); write one such as ops@example.com`,
);
const urlField = textField({ unit: 'URL', example: 'https://hooks.example.com/vmpulse' }, (text) =>
  isAllowedUrl(text) && !hasControlCharacters(text)
    ? undefined
    : 'is not a URL that may be used; write https://… without a password in it, or http:// to this host',
);
const variableField = textField({ unit: 'variable name', example: 'SMTP_PASSWORD' }, (text) =>
  VARIABLE.test(text) ? undefined : `is not the name of a variable ("${text}"); use letters, digits and _`,
);
const globField = textField({ unit: 'pattern', example: 'default/web-*' }, (text) =>
  text === '' || text.length > 256 || hasControlCharacters(text)
    ? 'is not a pattern; write one of VM ids, such as default/web-*'
    : undefined,
);

export const channelFields = {
  name: nameField,
  address: addressField,
  url: urlField,
  glob: globField,
  level: z
    .enum(Object.keys(NOTIFY_LEVELS) as [NotifyLevel, ...NotifyLevel[]])
    .meta({ unit: 'choice', example: 'warnings' }),
};

const smtp = z
  .strictObject({
    host: hostField,
    port: countField({ unit: 'port', example: '587' }, 1, 65_535).optional(),
    security: z.enum(['tls', 'starttls', 'none']).meta({ unit: 'choice', example: 'starttls' }).optional(),
    from: addressField,
    user: textField({ unit: 'text', example: 'vmpulse' }, (text) =>
      text === '' || hasControlCharacters(text) ? 'is not a user name; write one' : undefined,
    ).optional(),
    passwordFile: absolutePathField.optional(),
    passwordEnv: variableField.optional(),
    caFile: absolutePathField.optional(),
  })
  .superRefine(({ user, passwordFile, passwordEnv, security }, ctx) => {
    const refuse = (path: string, message: string) => ctx.addIssue({ code: 'custom', message, path: [path] });
    const passwords = [passwordFile, passwordEnv].filter((place) => place !== undefined).length;
    if (user !== undefined && passwords !== 1)
      refuse('user', 'needs one password; write either passwordFile or passwordEnv');
    if (user === undefined && passwords > 0)
      refuse(
        passwordFile === undefined ? 'passwordEnv' : 'passwordFile',
        'is of no user; add user, or remove it',
      );
    if (user !== undefined && security === 'none')
      refuse('security', 'would send the password readable for everybody; write starttls or tls');
  });

const channel = z
  .strictObject({
    name: nameField,
    level: channelFields.level.optional(),
    vms: z.array(globField).max(64).meta({ unit: 'list of patterns', example: '[default/web-*]' }).optional(),
    email: z
      .strictObject({
        to: z
          .array(addressField)
          .min(1)
          .max(32)
          .meta({ unit: 'list of mail addresses', example: '[a@b.org]' }),
      })
      .optional(),
    slack: z
      .strictObject({
        urlFile: absolutePathField.optional(),
        urlEnv: variableField.optional(),
        caFile: absolutePathField.optional(),
      })
      .optional(),
    webhook: z
      .strictObject({
        url: urlField,
        tokenFile: absolutePathField.optional(),
        tokenEnv: variableField.optional(),
        caFile: absolutePathField.optional(),
      })
      .optional(),
    exec: z.strictObject({ argv: argvField, user: userField.optional() }).optional(),
  })
  .superRefine(({ email, slack, webhook, exec }, ctx) => {
    const refuse = (path: string[], message: string) => ctx.addIssue({ code: 'custom', message, path });
    if ([email, slack, webhook, exec].filter((way) => way !== undefined).length !== 1)
      refuse([], 'tells by one way; write one of email, slack, webhook and exec');
    if (slack !== undefined && (slack.urlFile === undefined) === (slack.urlEnv === undefined))
      refuse(['slack'], 'needs its URL, which is a secret; write either urlFile or urlEnv');
    if (webhook?.tokenFile !== undefined && webhook.tokenEnv !== undefined)
      refuse(['webhook', 'tokenEnv'], 'is a second token; keep one of tokenFile and tokenEnv');
  });

export const notificationsSchema = z
  .strictObject({
    group: durationField('10s', 0).optional(),
    perHour: countField({ unit: 'count', example: '60' }, 1, 10_000).optional(),
    smtp: smtp.optional(),
    channels: z.array(channel).max(64).optional(),
  })
  .superRefine(({ smtp: server, channels = [] }, ctx) => {
    const refuse = (path: (string | number)[], message: string) =>
      ctx.addIssue({ code: 'custom', message, path: ['channels', ...path] });
    channels.forEach(({ name, email }, index) => {
      if (channels.findIndex((other) => other.name === name) !== index)
        refuse([index, 'name'], `is the name of another channel ("${name}"); choose another`);
      if (email !== undefined && server === undefined)
        refuse([index, 'email'], 'needs a mail server; add notifications.smtp');
    });
  });

export const reportSchema = z
  .strictObject({
    url: urlField,
    tokenFile: absolutePathField.optional(),
    tokenEnv: variableField.optional(),
    interval: durationField('30s', 1_000).optional(),
    caFile: absolutePathField.optional(),
  })
  .superRefine(({ tokenFile, tokenEnv }, ctx) => {
    if ((tokenFile === undefined) === (tokenEnv === undefined))
      ctx.addIssue({
        code: 'custom',
        message: 'needs one token; write either tokenFile or tokenEnv',
        path: [],
      });
  });

const DEFAULT_REPORT_MS = 30_000;

/** One of the two is written. */
function placeOf(file: string | undefined, env: string | undefined): SecretPlace | undefined {
  if (file !== undefined) return { file };
  return env === undefined ? undefined : { env };
}

export function buildNotifySettings(written: z.output<typeof notificationsSchema> = {}): NotifySettings {
  const { group, perHour, smtp: server, channels = [] } = written;
  return {
    groupMs: group ?? DEFAULT_NOTIFY_SETTINGS.groupMs,
    perHour: perHour ?? DEFAULT_NOTIFY_SETTINGS.perHour,
    ...(server === undefined ? {} : { smtp: smtpOf(server) }),
    channels: channels.map(channelOf),
  };
}

function smtpOf(written: z.output<typeof smtp>): NonNullable<NotifySettings['smtp']> {
  const { host, port, security = 'starttls', from, user, passwordFile, passwordEnv, caFile } = written;
  const password = placeOf(passwordFile, passwordEnv);
  return {
    host,
    port: port ?? (security === 'tls' ? 465 : security === 'none' ? 25 : 587),
    security,
    from,
    ...(user === undefined || password === undefined ? {} : { login: { user, password } }),
    ...given({ caFile }),
  };
}

function channelOf(written: z.output<typeof channel>): NotifyChannel {
  const { name, level = 'warnings', vms = [] } = written;
  return { name, level, vms, way: wayOf(written) };
}

function wayOf({ email, slack, webhook, exec }: z.output<typeof channel>): NotifyWay {
  if (email !== undefined) return { kind: 'email', to: email.to };
  if (exec !== undefined) {
    return { kind: 'exec', argv: exec.argv, ...given({ user: exec.user }) };
  }
  const caFile = (webhook ?? slack)?.caFile;
  const ca = caFile === undefined ? {} : { caFile };
  if (webhook !== undefined) {
    const token = placeOf(webhook.tokenFile, webhook.tokenEnv);
    return { kind: 'webhook', url: webhook.url, ...given({ token }), ...ca };
  }
  return { kind: 'slack', url: placeOf(slack?.urlFile, slack?.urlEnv) ?? { env: '' }, ...ca };
}

export function buildReport(written: z.output<typeof reportSchema> | undefined): ReportSettings | undefined {
  const token = written && placeOf(written.tokenFile, written.tokenEnv);
  if (written === undefined || token === undefined) return undefined;
  const { url, interval = DEFAULT_REPORT_MS, caFile } = written;
  return { url, token, intervalMs: interval, ...given({ caFile }) };
}
