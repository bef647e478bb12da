import type { TargetCheck } from '../../src/engine/probe-engine.js';
import type { Outcome } from '../../src/model/outcome.js';
import type { HttpGetOptions } from '../../src/model/probe.js';
import { CONNECTION_CASES } from './http-zoo-connection.js';
import { FRAMING_CASES } from './http-zoo-framing.js';
import { JUDGING_CASES } from './http-zoo-judging.js';
import type { ZooServer } from './http-zoo-server.js';
import { TLS_CASES } from './http-zoo-tls.js';

export type { ZooServer } from './http-zoo-server.js';

/** One server that behaves in one way, and what a probe must say of it. */
export interface ZooCase {
  readonly name: string;
  /** What the probe is told beyond its defaults; the port is the server's. */
  readonly http?: Partial<Omit<HttpGetOptions, 'port'>>;
  /** Trusted with `verify`. */
  readonly caPem?: string;
  readonly expected: Outcome;
  /** Warnings of the result, default none. */
  readonly warnings?: readonly string[];
  /** True when only a deadline ends the probe: keep the timeout short. */
  readonly waits?: boolean;
  /** Listens on 127.0.0.1. */
  start(): Promise<ZooServer>;
}

/** Every misbehaviour, each with a unique name. */
export const ZOO: readonly ZooCase[] = [
  ...CONNECTION_CASES,
  ...FRAMING_CASES,
  ...JUDGING_CASES,
  ...TLS_CASES,
];

/** What to probe for a case whose server listens on the port. */
export function zooCheck(zooCase: ZooCase, port: number): Extract<TargetCheck, { kind: 'httpGet' }> {
  const http: HttpGetOptions = { scheme: 'http', path: '/healthz', headers: [], ...zooCase.http, port };
  const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http } as const;
  return zooCase.caPem === undefined ? check : { ...check, caPem: zooCase.caPem };
}

/** A generous deadline for cases that end by themselves, a short one for those that do not, ms. */
export function zooTimeoutMs(zooCase: ZooCase): number {
  return zooCase.waits === true ? 300 : 10_000;
}
