import type { Outcome } from '../model/outcome.js';
import type { Reason } from '../model/reasons.js';
import type { Finding } from './external.js';
import type { ResolveHost } from './resolve-host.js';

/** Of a look, the name may take this share; the answer of a slower name server is there for the next one. */
const SHARE_OF_NAME = 0.5;

/** What says that an address could not be connected to, so that another one is worth a try. */
const NOT_CONNECTED: ReadonlySet<Reason> = new Set<Reason>([
  'connect-timeout',
  'connection-refused',
  'host-unreachable',
  'network-unreachable',
  'no-local-route',
]);

/** One try at one address, within its time. */
export type Attempt = (address: string, timeoutMs: number) => Promise<Finding>;

/**
 * Looks a host up and tries its addresses in turn until one can be connected to; each gets an even share of the time that
 * is left. Where none can, a failure is told rather than that one could not be tried.
 */
export async function overAddresses(
  { host, resolveHost }: { readonly host: string; readonly resolveHost: ResolveHost },
  deadlineMs: number,
  attempt: Attempt,
): Promise<Finding> {
  const endsAtMs = performance.now() + deadlineMs;
  const resolved = await resolveHost(host, { deadlineMs: deadlineMs * SHARE_OF_NAME });
  if ('outcome' in resolved) return { outcome: resolved.outcome, message: resolved.detail };
  const { addresses } = resolved;
  let found: Finding | undefined;
  for (const [at, address] of addresses.entries()) {
    const leftMs = endsAtMs - performance.now();
    if (found !== undefined && leftMs < 1) break;
    const next = await attempt(address, Math.max(1, leftMs / (addresses.length - at)));
    if (!isNotConnected(next.outcome)) return next;
    if (found === undefined || found.outcome.result === 'inconclusive') found = next;
  }
  if (found === undefined) throw new RangeError(`${host} has no address to try`);
  return found;
}

function isNotConnected(outcome: Outcome): boolean {
  return outcome.result !== 'ok' && NOT_CONNECTED.has(outcome.reason);
}
