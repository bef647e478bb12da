import { z } from 'zod';
import { given } from '../../model/given.js';
import type { SshOptions } from '../../model/probe.js';
import { patternProblem } from '../console/options.js';
import { absolutePathField, hostField, portField, textField } from '../fields.js';

const DEFAULT_PORT = 22;
const USER = /^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$/;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const MAX_COMMAND_CHARS = 4096;

const written = z.strictObject({
  host: hostField.optional(),
  port: portField.optional(),
  level: z.enum(['banner', 'auth', 'shell']).meta({ unit: 'choice', example: 'auth' }).optional(),
  user: textField({ unit: 'user', example: 'probe' }, (text) =>
    USER.test(text) ? undefined : `is not the name of a user ("${text}"); use letters, digits, _ . @ and -`,
  ).optional(),
  privateKeyFile: absolutePathField.optional(),
  passwordFile: absolutePathField.optional(),
  agentSocket: absolutePathField.optional(),
  knownHostsFile: absolutePathField.optional(),
  fingerprint: textField(
    { unit: 'fingerprint', example: 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU' },
    (text) =>
      FINGERPRINT.test(text)
        ? undefined
        : 'is not a fingerprint; write it as ssh-keygen -l shows it, SHA256: and 43 characters',
  ).optional(),
  hostKey: z.enum(['any']).meta({ unit: 'choice', example: 'any' }).optional(),
  command: textField({ unit: 'text', example: 'systemctl is-system-running' }, (text) => {
    if (text === '') return 'is empty; write a command of the guest';
    return text.length > MAX_COMMAND_CHARS
      ? `is longer than ${MAX_COMMAND_CHARS} characters; shorten it`
      : undefined;
  }).optional(),
  expectOutput: textField({ unit: 'regular expression', example: '^running$' }, patternProblem).optional(),
});

type WrittenSsh = z.output<typeof written>;
type Conflict = readonly [path: readonly string[], message: string];

const SECRETS = ['privateKeyFile', 'passwordFile', 'agentSocket'] as const;
const HOST_KEYS = ['knownHostsFile', 'fingerprint', 'hostKey'] as const;

function* conflicts(ssh: WrittenSsh): Iterable<Conflict> {
  const level = ssh.level ?? 'banner';
  if (level === 'banner') {
    for (const field of ['user', ...SECRETS, ...HOST_KEYS, 'command', 'expectOutput'] as const)
      if (ssh[field] !== undefined) yield [[field], 'needs a log-in; add level: auth or level: shell'];
    return;
  }
  if (ssh.user === undefined) yield [['user'], 'is missing; write who logs in'];
  const secrets = SECRETS.filter((field) => ssh[field] !== undefined);
  if (secrets.length === 0)
    yield [[], 'has nothing to log in with; write privateKeyFile, passwordFile or agentSocket'];
  if (secrets[1] !== undefined) yield [[secrets[1]], `cannot stand beside ${secrets[0]}; keep one of them`];
  const keys = HOST_KEYS.filter((field) => ssh[field] !== undefined);
  if (keys.length === 0)
    yield [[], 'does not say which host key to accept; write knownHostsFile or fingerprint, or hostKey: any'];
  if (keys[1] !== undefined) yield [[keys[1]], `cannot stand beside ${keys[0]}; keep one of them`];
  if (level === 'shell' && ssh.command === undefined)
    yield [['command'], 'is missing; write a command of the guest, such as true'];
  for (const field of ['command', 'expectOutput'] as const)
    if (level === 'auth' && ssh[field] !== undefined) yield [[field], 'needs a shell; write level: shell'];
}

/** Options of an ssh probe as documents write them. */
export const sshSchema = written
  .superRefine((ssh, ctx) => {
    for (const [path, message] of conflicts(ssh))
      ctx.addIssue({ code: 'custom', message, path: [...path], input: ssh });
  })
  .transform(
    (ssh): SshOptions => ({ ...given(ssh), port: ssh.port ?? DEFAULT_PORT, level: ssh.level ?? 'banner' }),
  );
