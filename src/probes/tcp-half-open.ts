import { z } from 'zod';
import { given } from '../model/given.js';
import type { ProbeCheck } from '../model/probe.js';
import { hostField, portField } from './fields.js';
import { defineKind, missingContext } from './probe-kind.js';
import { hostPort, parseHostPort } from './target-text.js';

type TcpHalfOpenCheck = Extract<ProbeCheck, { kind: 'tcpHalfOpen' }>;

const TARGET = 'host:port, for example 192.0.2.10:22 or [2001:db8::10]:22';

const schema = z.strictObject({ host: hostField.optional(), port: portField }).transform(
  ({ host, port }): TcpHalfOpenCheck => ({
    kind: 'tcpHalfOpen',
    ...given({ host }),
    port,
  }),
);

/** Sends a SYN from a raw socket; ok when it is accepted. The guest's server never sees a connection. */
export const tcpHalfOpen = defineKind<TcpHalfOpenCheck>({
  kind: 'tcpHalfOpen',
  aliases: ['syn'],
  summary: 'asks a TCP port by a SYN alone',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({ check: { kind: 'tcpHalfOpen', ...parseHostPort(text, name, TARGET) } }),
  lookups: ({ host }) => (host === undefined ? { vmAddress: true } : { host }),
  lower: (check, { address }) => {
    if (address === undefined) throw missingContext('tcpHalfOpen', 'an address');
    return { kind: 'tcpHalfOpen', endpoint: { ip: address, port: check.port } };
  },
  label: ({ host, port }) => `TCP SYN to ${host === undefined ? `port ${port}` : hostPort(host, port)}`,
});
