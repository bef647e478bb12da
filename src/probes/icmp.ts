import { z } from 'zod';
import { given } from '../model/given.js';
import type { ProbeCheck } from '../model/probe.js';
import { countField, hostField } from './fields.js';
import { defineKind, missingContext } from './probe-kind.js';
import { parseHost } from './target-text.js';

type IcmpCheck = Extract<ProbeCheck, { kind: 'icmp' }>;

const TARGET = 'a host, for example 192.0.2.10 or 2001:db8::10';

const schema = z
  .strictObject({
    host: hostField.optional(),
    count: countField({ unit: 'count', example: '3' }, 1, 20).optional(),
    maxLossPercent: countField({ unit: 'percent', example: '20' }, 0, 100).optional(),
    maxLatencyMs: countField({ unit: 'ms', example: '50' }, 1, 60_000).optional(),
    payloadBytes: countField({ unit: 'bytes', example: '56' }, 20, 9000).optional(),
  })
  .transform(
    ({ host, count, maxLossPercent, maxLatencyMs, payloadBytes }): IcmpCheck => ({
      kind: 'icmp',
      ...given({ host }),
      count: count ?? 1,
      payloadBytes: payloadBytes ?? 56,
      ...given({ maxLossPercent, maxLatencyMs }),
    }),
  );

/** Pings; ok when enough echos come back soon enough. */
export const icmp = defineKind<IcmpCheck>({
  kind: 'icmp',
  aliases: ['ping'],
  summary: 'pings a host',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({
    check: { kind: 'icmp', host: parseHost(text, name, TARGET), count: 1, payloadBytes: 56 },
  }),
  lookups: ({ host }) => (host === undefined ? { vmAddress: true } : { host }),
  lower: ({ kind, host: _, ...ping }, { address }) => {
    if (address === undefined) throw missingContext('icmp', 'an address');
    return { kind, ip: address, ping };
  },
  label: ({ host }) => (host === undefined ? 'ping' : `ping of ${host}`),
});
