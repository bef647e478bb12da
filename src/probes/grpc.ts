import { z } from 'zod';
import type { GrpcCheck, ProbeCheck, StreamPlace } from '../model/probe.js';
import { grpcConflicts, grpcFields, serviceProblem, toGrpc } from './grpc-options.js';
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
import { targetError } from './target-text.js';

type GrpcProbe = Extract<ProbeCheck, { kind: 'grpc' }>;

const TARGET =
  'host:port or host:port/service, for example 192.0.2.10:50051/acme.Shop, or unix:/run/app.sock:/service';

const schema = z
  .strictObject({ ...placeFields, ...grpcFields })
  .superRefine((written, ctx) => {
    for (const [field, message] of [...placeConflicts(written), ...grpcConflicts(written)])
      ctx.addIssue({ code: 'custom', message, path: [field], input: written[field] });
  })
  .transform((written): GrpcProbe => ({ kind: 'grpc', grpc: { ...toPlace(written), ...toGrpc(written) } }));

function parseTarget(text: string, name: string): GrpcCheck & StreamPlace {
  const [, place = text, service = ''] =
    /^(unix:[^:]+):\/(.*)$/s.exec(text) ?? /^(?!unix:)([^/]*)\/(.*)$/s.exec(text) ?? [];
  const wrong = serviceProblem(service);
  if (wrong !== undefined) throw targetError(name, text, `has a service that ${wrong.split(';')[0]}`, TARGET);
  return { ...parsePlace(place, name, TARGET), ...(service === '' ? {} : { service }) };
}

/** Asks the health service of gRPC; ok when it says that the service serves. */
export const grpc = defineKind<GrpcProbe>({
  kind: 'grpc',
  aliases: ['grpc-health'],
  summary: 'asks grpc.health.v1, plain or over TLS, whether a service serves',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({ check: { kind: 'grpc', grpc: parseTarget(text, name) } }),
  lookups: ({ grpc: options }) => ({ ...placeLookups(options), ...tlsLookups(options.tls) }),
  guestPort: ({ kind, grpc: options }) =>
    options.port === undefined
      ? undefined
      : { port: options.port, askedAt: (place) => ({ kind, grpc: { ...options, ...place } }) },
  lower: ({ grpc: options }, context) => ({
    kind: 'grpc',
    endpoint: placeEndpoint('grpc', options, context),
    grpc: options,
    ...bundleOf('grpc', options.tls, context),
  }),
  label: ({ grpc: options }) => `gRPC health of ${options.service ?? 'the server'} at ${placeText(options)}`,
});
