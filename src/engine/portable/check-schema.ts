import { isIP } from 'node:net';
import { z } from 'zod';

/** Longest path of a Unix socket, bytes (`sun_path` less its end). */
const MAX_UNIX_PATH = 107;
const MAX_VSOCK = 4_294_967_294;

/** Where this engine connects. */
export type Endpoint = z.output<typeof endpoint> | z.output<typeof hybrid>;

export const unixPath = z
  .string()
  .refine((path) => path !== '' && Buffer.byteLength(path) <= MAX_UNIX_PATH && !path.includes('\0'), {
    error: `a Unix socket path has 1 to ${MAX_UNIX_PATH} bytes; link the socket to a shorter path`,
  });
const ip = z
  .string()
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), { error: 'is not an IP address' });
const ipEndpoint = z.strictObject({ ip, port: z.int().min(1).max(65_535) });
const endpoint = z.union([ipEndpoint, z.strictObject({ unix: unixPath })]);
/** 0 and the largest number mean "any" in the kernel. */
export const vsockNumber = (what: string) =>
  z.number().refine((number) => Number.isInteger(number) && number >= 1 && number <= MAX_VSOCK, {
    error: ({ input }) => `${what} ${input} is not between 1 and ${MAX_VSOCK}`,
  });
const hybrid = z.strictObject({ hybrid: unixPath, port: vsockNumber('vsock port') });
const vsock = z.strictObject({ cid: vsockNumber('CID'), port: vsockNumber('vsock port') });
const headers = z.array(z.tuple([z.string(), z.string()]).readonly()).readonly();
const http = z.strictObject({
  scheme: z.enum(['http', 'https']),
  host: z.string().exactOptional(),
  port: z.int().min(1).max(65_535),
  path: z.string(),
  method: z.string().exactOptional(),
  headers,
  body: z.string().exactOptional(),
  unixSocket: z.string().exactOptional(),
  keepAlive: z.boolean().exactOptional(),
  verify: z.boolean().exactOptional(),
  caFile: z.string().exactOptional(),
  certificateExpiresWithinDays: z.int().min(0).exactOptional(),
  expect: z
    .strictObject({
      status: z
        .array(z.tuple([z.int(), z.int()]).readonly())
        .readonly()
        .exactOptional(),
      bodyContains: z.string().exactOptional(),
      bodyRegex: z.string().exactOptional(),
      headers: headers.exactOptional(),
    })
    .exactOptional(),
  maxBodyBytes: z.int().exactOptional(),
});
const tls = z.strictObject({
  serverName: z.string().exactOptional(),
  verify: z.boolean().exactOptional(),
  caFile: z.string().exactOptional(),
  certificateExpiresWithinDays: z.int().min(0).exactOptional(),
});
const script = z.strictObject({
  steps: z
    .array(
      z.union([
        z.strictObject({ send: z.string() }),
        z.strictObject({ expect: z.string() }),
        z.strictObject({ expectRegex: z.string() }),
        z.strictObject({ startTls: z.literal(true) }),
      ]),
    )
    .readonly(),
  tls: tls.exactOptional(),
  maxBytes: z.int().exactOptional(),
});
const placedScript = script.extend({
  host: z.string().exactOptional(),
  port: z.int().exactOptional(),
  unixSocket: z.string().exactOptional(),
});
const caPem = z.string().exactOptional();
const channel = z.int().min(0);
/** A TargetCheck. Whether its parts make sense is for whoever compiles it. */
export const checkSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tcpSocket'), endpoint, close: z.enum(['rst', 'fin']) }),
  z.strictObject({ kind: z.literal('tcpHalfOpen'), endpoint: ipEndpoint }),
  z.strictObject({
    kind: z.literal('icmp'),
    ip,
    ping: z.strictObject({
      count: z.int().min(1).max(20),
      payloadBytes: z.int().min(20).max(9000),
      maxLossPercent: z.int().min(0).max(100).exactOptional(),
      maxLatencyMs: z.number().positive().exactOptional(),
    }),
  }),
  z.strictObject({
    kind: z.literal(['arp', 'ndp']),
    ip,
    neighbour: z.strictObject({ interface: z.string().exactOptional(), mac: z.string().exactOptional() }),
  }),
  z.strictObject({ kind: z.literal('httpGet'), endpoint, http, caPem }),
  z.strictObject({ kind: z.literal('tcpExchange'), endpoint, exchange: placedScript, caPem }),
  z.strictObject({
    kind: z.literal('vsock'),
    endpoint: z.union([hybrid, vsock], { error: 'is no vsock' }),
    http: http.exactOptional(),
    exchange: script.exactOptional(),
    caPem,
  }),
  z.strictObject({ kind: z.literal('guestAgentPing'), channel }),
  z.strictObject({ kind: z.literal('vmState'), channel }),
  z.strictObject({
    kind: z.literal('vmmProcess'),
    pid: z.int().min(1),
    pidfd: z.int().min(0).exactOptional(),
    startTimeTicks: z.int().min(0).exactOptional(),
  }),
  z.strictObject({ kind: z.literal('external') }),
]);
