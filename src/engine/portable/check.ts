import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import type { HttpGetOptions } from '../../model/probe.js';
import type { TargetCheck } from '../probe-engine.js';
import { argumentError, firstIssue } from './argument.js';
import { Hop } from './http/hop.js';
import { HttpPlan } from './http/plan.js';
import { TlsClient } from './http/tls-client.js';
import { ProcessIdentity } from './process-state.js';
import { WeakCache } from './weak-cache.js';

/** Longest path of a Unix socket, bytes (`sun_path` less its end). */
const MAX_UNIX_PATH = 107;

/** Where this engine connects. */
export type Endpoint = z.output<typeof endpoint>;

/** What a target is probed by, checked. */
export type Check =
  | { readonly kind: 'tcpSocket'; readonly endpoint: Endpoint; readonly close: 'rst' | 'fin' }
  /** Of a kind that takes raw sockets, which Node has not. */
  | { readonly kind: 'tcpHalfOpen' | 'icmp' | 'arp' | 'ndp' }
  | { readonly kind: 'httpGet'; readonly endpoint: Endpoint; readonly plan: HttpPlan; readonly hop: Hop }
  | { readonly kind: 'guestAgentPing' | 'vmState'; readonly channel: number }
  | { readonly kind: 'vmmProcess'; readonly process: ProcessIdentity }
  | { readonly kind: 'external' };

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
const channel = z.int().min(0);
const checkSchema = z.discriminatedUnion('kind', [
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
  z.strictObject({ kind: z.literal('httpGet'), endpoint, http, caPem: z.string().exactOptional() }),
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

const KINDS: ReadonlySet<string> = new Set(
  checkSchema.options.flatMap(({ shape }) => [...shape.kind.values]),
);

/** Checks what targets are probed by; targets that ask the same share what is heavy. */
export class CheckCompiler {
  readonly #plans = new WeakCache<HttpPlan>();
  readonly #tlsClients = new WeakCache<TlsClient>();
  readonly #userAgent: string;
  #lastPem = { pem: '', key: hash('') };

  /** `userAgent`: of HTTP requests that do not set their own. */
  constructor(userAgent: string) {
    this.#userAgent = userAgent;
  }

  /** Throws ERR_VMPULSE_ARGUMENT naming the field, ERR_VMPULSE_UNSUPPORTED for a kind that this engine lacks. */
  compile(given: TargetCheck): Check {
    if (!KINDS.has(given.kind))
      throw new VmpulseError(
        'ERR_VMPULSE_UNSUPPORTED',
        `the portable engine has no ${given.kind} probe; build the native one with: npm run build:engine`,
      );
    const parsed = checkSchema.safeParse(given);
    if (!parsed.success) throw argumentError(firstIssue(parsed.error));
    const check = parsed.data;
    switch (check.kind) {
      case 'httpGet': {
        const plan = this.#plan(check.http, check.caPem);
        const { endpoint: to } = check;
        const hop = Hop.first(plan, check.http.host ?? ('unix' in to ? 'localhost' : to.ip));
        return { kind: 'httpGet', endpoint: to, plan, hop };
      }
      case 'tcpHalfOpen':
      case 'icmp':
      case 'arp':
      case 'ndp':
        return { kind: check.kind };
      case 'vmmProcess':
        return { kind: 'vmmProcess', process: new ProcessIdentity(check.pid, processProof(check)) };
      default:
        return check;
    }
  }

  #plan(options: HttpGetOptions, caPem: string | undefined): HttpPlan {
    const isVerified = options.scheme === 'https' && options.verify === true;
    if (isVerified && caPem === undefined) {
      throw argumentError('http.verify needs caPem: the bundle to verify against');
    }
    const pem = isVerified ? caPem : undefined;
    const pemKey = this.#keyOfPem(pem ?? '');
    const client = this.#tlsClients.get(pemKey, () => new TlsClient(pem));
    const key = hash(`${pemKey}${JSON.stringify(options)}`);
    return this.#plans.get(key, () => new HttpPlan(options, client, this.#userAgent));
  }

  /** A host's bundle is large, and usually the same for all targets. */
  #keyOfPem(pem: string): string {
    if (pem !== this.#lastPem.pem) this.#lastPem = { pem, key: hash(pem) };
    return this.#lastPem.key;
  }
}

function processProof({
  pidfd,
  startTimeTicks,
}: {
  readonly pidfd?: number;
  readonly startTimeTicks?: number;
}): ConstructorParameters<typeof ProcessIdentity>[1] {
  if (pidfd !== undefined) return { pidfd };
  if (startTimeTicks !== undefined) return { startTimeTicks };
  throw argumentError('pidfd or startTimeTicks is missing');
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
