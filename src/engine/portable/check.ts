import { createHash } from 'node:crypto';
import { VmpulseError } from '../../model/errors.js';
import type { ExchangeScript, HttpGetOptions, StreamPlace } from '../../model/probe.js';
import type { TargetCheck } from '../probe-engine.js';
import { argumentError, firstIssue } from './argument.js';
import { checkSchema, type Endpoint } from './check-schema.js';
import { Hop } from './http/hop.js';
import { HttpPlan } from './http/plan.js';
import { ProcessIdentity } from './process-state.js';
import { checkHost, ScriptPlan } from './script/plan.js';
import { TlsClient } from './stream/tls-client.js';
import { WeakCache } from './weak-cache.js';

/** What is said over a connection. */
export type Talk =
  /** The connection is the answer. */
  | { readonly says: 'nothing'; readonly close: 'rst' | 'fin' }
  | { readonly says: 'http'; readonly plan: HttpPlan; readonly hop: Hop }
  | { readonly says: 'script'; readonly plan: ScriptPlan; readonly host: string };

/** What a target is probed by, checked. */
export type Check =
  | {
      readonly kind: 'tcpSocket' | 'httpGet' | 'tcpExchange' | 'vsock';
      readonly endpoint: Endpoint;
      readonly talk: Talk;
    }
  /** Of a kind that takes raw sockets, which Node has not. */
  | { readonly kind: 'tcpHalfOpen' | 'icmp' | 'arp' | 'ndp' }
  | { readonly kind: 'guestAgentPing' | 'vmState'; readonly channel: number }
  | { readonly kind: 'vmmProcess'; readonly process: ProcessIdentity }
  | { readonly kind: 'external' };

/** Checks what targets are probed by; targets that ask the same share what is heavy. */
export class CheckCompiler {
  readonly #plans = new WeakCache<HttpPlan>();
  readonly #scripts = new WeakCache<ScriptPlan>();
  readonly #tlsClients = new WeakCache<TlsClient>();
  readonly #userAgent: string;
  #lastPem = { pem: '', key: hash('') };

  /** `userAgent`: of HTTP requests that do not set their own. */
  constructor(userAgent: string) {
    this.#userAgent = userAgent;
  }

  /** Throws ERR_VMPULSE_ARGUMENT naming the field, ERR_VMPULSE_UNSUPPORTED for what this engine cannot do. */
  compile(given: TargetCheck): Check {
    if (given.kind === 'grpc' || (given.kind === 'vsock' && given.grpc !== undefined))
      throw unsupported('speaks no HTTP/2, which grpc needs');
    const parsed = checkSchema.safeParse(given);
    if (!parsed.success) throw argumentError(firstIssue(parsed.error));
    const check = parsed.data;
    switch (check.kind) {
      case 'tcpSocket':
        return {
          kind: check.kind,
          endpoint: check.endpoint,
          talk: { says: 'nothing', close: check.close },
        };
      case 'httpGet':
      case 'tcpExchange':
        return { kind: check.kind, endpoint: check.endpoint, talk: this.#talk(check.endpoint, check) };
      case 'vsock': {
        const { kind, endpoint: to } = check;
        if ('cid' in to) throw unsupported('has no AF_VSOCK, because Node has none');
        return { kind, endpoint: to, talk: this.#talk(to, check) };
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

  #talk(
    endpoint: Endpoint,
    {
      http,
      exchange,
      caPem,
    }: { http?: HttpGetOptions; exchange?: ExchangeScript & StreamPlace; caPem?: string },
  ): Talk {
    const address = 'ip' in endpoint ? endpoint.ip : 'localhost';
    if (http !== undefined) {
      const plan = this.#plan(http, caPem);
      return { says: 'http', plan, hop: Hop.first(plan, http.host ?? address) };
    }
    if (exchange === undefined) return { says: 'nothing', close: 'fin' };
    const { host = address, port: _port, unixSocket: _unixSocket, ...said } = exchange;
    const plan = this.#script(said, caPem);
    return { says: 'script', plan, host: checkHost(plan, host) };
  }

  #plan(options: HttpGetOptions, caPem: string | undefined): HttpPlan {
    const isVerified = options.scheme === 'https' && options.verify === true;
    const { key, client } = this.#tls('http', isVerified, caPem);
    return this.#plans.get(
      hash(`${key}${JSON.stringify(options)}`),
      () => new HttpPlan(options, client, this.#userAgent),
    );
  }

  #script(script: ExchangeScript, caPem: string | undefined): ScriptPlan {
    const { key, client } = this.#tls('exchange.tls', script.tls?.verify === true, caPem);
    return this.#scripts.get(hash(`${key}${JSON.stringify(script)}`), () => new ScriptPlan(script, client));
  }

  #tls(field: string, isVerified: boolean, caPem: string | undefined): { key: string; client: TlsClient } {
    if (isVerified && caPem === undefined)
      throw argumentError(`${field}.verify needs caPem: the bundle to verify against`);
    const pem = isVerified ? caPem : undefined;
    const key = this.#keyOfPem(pem ?? '');
    return { key, client: this.#tlsClients.get(key, () => new TlsClient(pem)) };
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

function unsupported(why: string): VmpulseError {
  return new VmpulseError(
    'ERR_VMPULSE_UNSUPPORTED',
    `the portable engine ${why}; build the native one: npm run build:engine`,
  );
}
