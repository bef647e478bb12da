import { VmpulseError } from '../model/errors.js';
import type { DocumentKind } from '../model/probe.js';
import { type HttpFlags, withHttpFlags } from './http-flags.js';
import type { ProbeTarget } from './probe-kind.js';
import { type StreamFlags, withStreamFlags } from './stream-flags.js';

/** Options of `vmpulse probe`, as they were typed. */
export interface ProbeFlags extends HttpFlags, StreamFlags {}

interface Flag {
  readonly flag: keyof ProbeFlags;
  /** As it is typed. */
  readonly name: string;
  readonly kinds: readonly DocumentKind[];
}

const FLAGS: readonly Flag[] = [
  { flag: 'headers', name: '--header', kinds: ['httpGet'] },
  { flag: 'method', name: '--method', kinds: ['httpGet'] },
  { flag: 'expectStatus', name: '--expect-status', kinds: ['httpGet'] },
  { flag: 'expectBody', name: '--expect-body', kinds: ['httpGet'] },
  { flag: 'host', name: '--host', kinds: ['httpGet', 'tcpExchange', 'grpc', 'vsock'] },
  { flag: 'verify', name: '--verify', kinds: ['httpGet', 'tcpExchange', 'grpc', 'vsock'] },
  { flag: 'tls', name: '--tls', kinds: ['tcpExchange', 'grpc', 'vsock'] },
  { flag: 'steps', name: '--step', kinds: ['tcpExchange', 'vsock'] },
];

/** Lays the options of the command line over a target. Throws ERR_VMPULSE_USAGE, also for one that does not fit. */
export function withFlags(target: ProbeTarget, flags: ProbeFlags): ProbeTarget {
  const { kind } = target.check;
  for (const { flag, name, kinds } of FLAGS) {
    const value = flags[flag];
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined;
    if (!isGiven || kinds.includes(kind)) continue;
    throw new VmpulseError('ERR_VMPULSE_USAGE', `${name} does not fit a ${kind} probe; leave it out`);
  }
  return withStreamFlags(withHttpFlags(target, flags), flags);
}
