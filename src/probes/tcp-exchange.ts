import { z } from 'zod';
import type { ProbeCheck } from '../model/probe.js';
import { scriptConflicts, scriptFields, toScript } from './exchange-options.js';
import { defineKind } from './probe-kind.js';
import {
  bundleOf,
  parsePlace,
  placeConflicts,
  placeEndpoint,
  placeFields,
  placeLookups,
  placeText,
  tlsLookups,
  toPlace,
} from './stream-place.js';

type TcpExchangeCheck = Extract<ProbeCheck, { kind: 'tcpExchange' }>;

const TARGET = 'host:port, for example 192.0.2.10:25, or unix:/run/app.sock, and --send, --expect, …';

const schema = z
  .strictObject({ ...placeFields, ...scriptFields })
  .superRefine((written, ctx) => {
    for (const [field, message] of [...placeConflicts(written), ...scriptConflicts(written)])
      ctx.addIssue({ code: 'custom', message, path: [field], input: written[field] });
  })
  .transform(
    (written): TcpExchangeCheck => ({
      kind: 'tcpExchange',
      exchange: { ...toPlace(written), ...toScript(written) },
    }),
  );

/** Holds a scripted conversation; ok when all that is expected comes. */
export const tcpExchange = defineKind<TcpExchangeCheck>({
  kind: 'tcpExchange',
  aliases: ['exchange'],
  summary: 'sends and expects what a script says, with TLS or STARTTLS',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({
    check: { kind: 'tcpExchange', exchange: { ...parsePlace(text, name, TARGET), steps: [] } },
  }),
  lookups: ({ exchange }) => ({ ...placeLookups(exchange), ...tlsLookups(exchange.tls) }),
  guestPort: ({ kind, exchange }) =>
    exchange.port === undefined
      ? undefined
      : { port: exchange.port, askedAt: (place) => ({ kind, exchange: { ...exchange, ...place } }) },
  lower: ({ exchange }, context) => ({
    kind: 'tcpExchange',
    endpoint: placeEndpoint('tcpExchange', exchange, context),
    exchange,
    ...bundleOf('tcpExchange', exchange.tls, context),
  }),
  label: ({ exchange }) => `TCP exchange with ${placeText(exchange)}`,
});
