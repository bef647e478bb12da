import { z } from 'zod';
import { given } from '../model/given.js';
import type { ProbeCheck } from '../model/probe.js';
import { hostField, portField } from './fields.js';
import { defineKind, missingContext } from './probe-kind.js';
import { hostPort, parseHostPort } from './target-text.js';

type TcpSocketCheck = Extract<ProbeCheck, { kind: 'tcpSocket' }>;

const TARGET = 'host:port, for example 192.0.2.10:22 or [2001:db8::10]:22';

const schema = z
  .strictObject({
    host: hostField.optional(),
    port: portField,
    close: z.enum(['rst', 'fin']).meta({ unit: 'choice', example: 'rst' }).optional(),
  })
  .transform(
    ({ host, port, close }): TcpSocketCheck => ({
      kind: 'tcpSocket',
      ...given({ host }),
      port,
      ...given({ close }),
    }),
  );

/** Connects; ok when the connection stands. */
export const tcpSocket = defineKind<TcpSocketCheck>({
  kind: 'tcpSocket',
  aliases: ['tcp'],
  summary: 'connects to a TCP port',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({ check: { kind: 'tcpSocket', ...parseHostPort(text, name, TARGET) } }),
  lookups: ({ host }) => (host === undefined ? { vmAddress: true } : { host }),
  guestPort: (check) => ({ port: check.port, askedAt: (place) => ({ ...check, ...place }) }),
  lower: (check, { address }) => {
    if (address === undefined) throw missingContext('tcpSocket', 'an address');
    return { kind: 'tcpSocket', endpoint: { ip: address, port: check.port }, close: check.close ?? 'rst' };
  },
  label: ({ host, port }) => `TCP connect to ${host === undefined ? `port ${port}` : hostPort(host, port)}`,
});
