import { z } from 'zod';
import type { Endpoint } from '../engine/probe-engine.js';
import { given } from '../model/given.js';
import type { ProbeCheck, StreamTls, VsockOptions } from '../model/probe.js';
import { scriptTalkSchema } from './exchange-options.js';
import { countField, socketPathField } from './fields.js';
import { grpcTalkSchema } from './grpc-options.js';
import { httpTalkSchema } from './http-options.js';
import { defineKind } from './probe-kind.js';
import { bundleOf, tlsLookups } from './stream-place.js';
import { parseSocketPath, targetError } from './target-text.js';

type VsockCheck = Extract<ProbeCheck, { kind: 'vsock' }>;

const TARGET =
  'CID:port, for example 3:1024, or the socket of the hypervisor and the port, /run/vm.vsock:1024';
/** The largest number means "any" in the kernel. */
const MAX_NUMBER = 4_294_967_294;

const written = z.strictObject({
  cid: countField({ unit: 'CID', example: '3' }, 1, MAX_NUMBER).optional(),
  socket: socketPathField.optional(),
  port: countField({ unit: 'vsock port', example: '1024' }, 1, MAX_NUMBER),
  exchange: scriptTalkSchema.meta({ unit: 'script', example: '{steps: [{expect: ok}]}' }).optional(),
  httpGet: httpTalkSchema.meta({ unit: 'HTTP options', example: '{path: /healthz}' }).optional(),
  grpc: grpcTalkSchema.meta({ unit: 'gRPC options', example: '{service: acme.Shop}' }).optional(),
});

type WrittenVsock = z.output<typeof written>;

/** What may be asked over the connection. */
const TALKS = ['exchange', 'httpGet', 'grpc'] as const;

function* conflicts(vsock: WrittenVsock): Iterable<readonly [field: keyof WrittenVsock, message: string]> {
  if (vsock.cid === undefined && vsock.socket === undefined)
    yield ['cid', "is missing; write the guest's CID, or the hypervisor's socket"];
  if (vsock.cid !== undefined && vsock.socket !== undefined)
    yield ['socket', 'cannot stand beside cid; remove one of them'];
  const [first, ...others] = TALKS.filter((talk) => vsock[talk] !== undefined);
  for (const talk of others) yield [talk, `cannot stand beside ${first}; remove one of them`];
}

const schema = written
  .superRefine((vsock, ctx) => {
    for (const [field, message] of conflicts(vsock))
      ctx.addIssue({ code: 'custom', message, path: [field], input: vsock[field] });
  })
  .transform(({ cid, socket, port, exchange, httpGet, grpc }): VsockCheck => {
    const place = cid === undefined ? { ...given({ socket }), port } : { cid, port };
    return {
      kind: 'vsock',
      vsock: {
        ...place,
        ...given({ exchange, http: httpGet, grpc }),
      },
    };
  });

function parseTarget(text: string, name: string): VsockOptions {
  const [, place = '', digits = ''] = /^(.+):([0-9]{1,10})$/.exec(text) ?? [];
  const isNumber = (number: number) => number >= 1 && number <= MAX_NUMBER;
  const port = Number(digits);
  if (place === '' || !isNumber(port)) throw targetError(name, text, 'has no vsock port', TARGET);
  if (!/^[0-9]{1,10}$/.test(place)) return { socket: parseSocketPath(place, name, TARGET), port };
  if (!isNumber(Number(place))) throw targetError(name, text, 'has no CID', TARGET);
  return { cid: Number(place), port };
}

function endpointOf({ cid, socket = '', port }: VsockOptions): Endpoint {
  return cid === undefined ? { hybrid: socket, port } : { cid, port };
}

function tlsOf({ exchange, http, grpc }: VsockOptions): StreamTls | undefined {
  return exchange?.tls ?? grpc?.tls ?? http;
}

/** Connects to a port of the guest by vsock, and asks there what it is told to. */
export const vsock = defineKind<VsockCheck>({
  kind: 'vsock',
  aliases: ['hybrid-vsock'],
  summary: 'connects to a vsock port of the guest, by CID or through its hypervisor',
  targetHelp: TARGET,
  schema,
  parseTarget: (text, name) => ({ check: { kind: 'vsock', vsock: parseTarget(text, name) } }),
  lookups: ({ vsock: options }) => tlsLookups(tlsOf(options)),
  lower: ({ vsock: options }, context) => ({
    kind: 'vsock',
    endpoint: endpointOf(options),
    ...given({ exchange: options.exchange, http: options.http, grpc: options.grpc }),
    ...bundleOf('vsock', tlsOf(options), context),
  }),
  label: ({ vsock: { cid, socket, port } }) =>
    `vsock connect to port ${port} ${cid === undefined ? `over ${socket}` : `of CID ${cid}`}`,
});
