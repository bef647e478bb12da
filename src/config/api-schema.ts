import { z } from 'zod';
import { given } from '../model/given.js';
import { SCOPES, type Scope } from '../model/scope.js';
import { absolutePathField, textField } from '../probes/fields.js';
import { type ListenAddress, tlsListenField } from './listen-address.js';

/** Where the API is served by TCP, and by what it knows who asks there. */
export interface ApiListen extends ListenAddress {
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** Whose certificates are taken from clients; unset: nobody's. */
  readonly clientCa?: string;
  /** Clients by the common name of their certificate. */
  readonly clients: readonly { readonly commonName: string; readonly scope: Scope }[];
}

/** Who may use the API of one daemon, beside root and its own user. */
export interface ApiConfig {
  /** Group that the socket belongs to, by name or number; unset: that of the daemon. */
  readonly socketGroup?: string;
  /** Users, and groups with an `@`, by name or number. */
  readonly access: Readonly<Record<Scope, readonly string[]>>;
  /** Unset: not by TCP. */
  readonly listen?: ApiListen;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?$/;
const MAX_PRINCIPALS = 256;

const groupField = textField({ unit: 'group', example: 'vmpulse' }, (text) =>
  NAME.test(text) ? undefined : `is not a group ("${text}"); write its name or number, such as vmpulse`,
);

const principalField = textField({ unit: 'user or @group', example: 'ann' }, (text) =>
  NAME.test(text.replace(/^@/, ''))
    ? undefined
    : `is neither a user nor a group ("${text}"); write a name or number, a group with @, such as ann or @wheel`,
);

const principalsField = z
  .array(principalField)
  .max(MAX_PRINCIPALS)
  .meta({ unit: 'list of users and @groups', example: "[ann, '@wheel']" });

const commonNameField = textField({ unit: 'name', example: 'ops' }, (text) =>
  /^[^\p{C}]{1,64}$/u.test(text)
    ? undefined
    : 'is not a common name; write that of the client certificate, such as ops',
);

const listenSchema = z
  .strictObject({
    address: tlsListenField,
    certificate: absolutePathField.optional(),
    key: absolutePathField.optional(),
    clientCa: absolutePathField.optional(),
    clients: z
      .array(
        z.strictObject({
          commonName: commonNameField,
          scope: z.enum(SCOPES).meta({ unit: 'choice', example: 'read' }),
        }),
      )
      .max(MAX_PRINCIPALS)
      .optional(),
  })
  .superRefine(({ certificate, key, clientCa, clients = [] }, ctx) => {
    const refuse = (path: string, message: string) => ctx.addIssue({ code: 'custom', message, path: [path] });
    const plain = 'is missing: the API is served by TCP with TLS only; write the path of a PEM file';
    if (certificate === undefined) refuse('certificate', plain);
    if (key === undefined) refuse('key', plain);
    if (clients.length > 0 && clientCa === undefined)
      refuse('clients', 'has clients whose certificates nobody has signed; write clientCa, too');
  });

export const apiSchema = z.strictObject({
  socketGroup: groupField.optional(),
  access: z
    .strictObject({
      read: principalsField.optional(),
      operate: principalsField.optional(),
      admin: principalsField.optional(),
    })
    .optional(),
  listen: listenSchema.optional(),
});

export function buildApi({ socketGroup, access = {}, listen }: z.output<typeof apiSchema> = {}): ApiConfig {
  const { read = [], operate = [], admin = [] } = access;
  return {
    ...given({ socketGroup }),
    access: { read, operate, admin },
    ...(listen === undefined ? {} : buildListen(listen)),
  };
}

function buildListen(written: z.output<typeof listenSchema>): { listen?: ApiListen } {
  const { address, certificate, key, clientCa, clients = [] } = written;
  // The schema lets none of them pass without.
  if (certificate === undefined || key === undefined) return {};
  return {
    listen: { ...address, certificate, key, ...given({ clientCa }), clients },
  };
}
