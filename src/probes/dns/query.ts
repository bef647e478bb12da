import { Resolver } from 'node:dns/promises';
import { errnoOf } from '../../model/errors.js';

/** What DNS says of a name. `trouble`: nobody could tell, which says nothing about the name. */
export type DnsAnswer =
  | { readonly found: readonly string[]; readonly ttlSeconds: number }
  | { readonly none: true; readonly detail: string }
  | { readonly trouble: string };

export interface QueryOptions {
  /** `address:port` of name servers; default those of /etc/resolv.conf. */
  readonly servers?: readonly string[];
  /** First wait for an answer; doubled at the second try. */
  readonly timeoutMs: number;
}

const TRIES = 2;
/** An answer that is only half there is asked for again soon. */
const PARTIAL_TTL_SECONDS = 5;
/** There is no such name, or it has no address of that family. */
const NONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

type Family = { readonly address: string; readonly ttlSeconds: number } | { readonly code: string };

/** Asks for both families at once; of each, the first address is taken. */
export async function queryDns(name: string, options: QueryOptions): Promise<DnsAnswer> {
  // A new one each time: it reads /etc/resolv.conf when it is made.
  const resolver = new Resolver({ timeout: options.timeoutMs, tries: TRIES });
  if (options.servers !== undefined) resolver.setServers([...options.servers]);
  const [v6, v4] = await Promise.all([
    family(resolver.resolve6(name, { ttl: true })),
    family(resolver.resolve4(name, { ttl: true })),
  ]);
  const both = [v6, v4];
  const found = both.flatMap((each) => ('address' in each ? [each] : []));
  const troubles = both.flatMap((each) => ('code' in each && !NONE.has(each.code) ? [each.code] : []));
  if (found.length > 0) {
    const ttlSeconds = Math.min(...found.map((each) => each.ttlSeconds));
    return {
      found: found.map(({ address }) => address),
      ttlSeconds: troubles.length > 0 ? Math.min(ttlSeconds, PARTIAL_TTL_SECONDS) : ttlSeconds,
    };
  }
  if (troubles.length > 0) return { trouble: troubles.join(', ') };
  const codes = both.flatMap((each) => ('code' in each ? [each.code] : []));
  const isThere = codes.includes('ENODATA');
  return { none: true, detail: isThere ? `${name} has no address` : `there is no host ${name}` };
}

async function family(asked: Promise<readonly { address: string; ttl: number }[]>): Promise<Family> {
  try {
    const [first] = await asked;
    return first === undefined ? { code: 'ENODATA' } : { address: first.address, ttlSeconds: first.ttl };
  } catch (error) {
    return { code: errnoOf(error) || 'EUNKNOWN' };
  }
}
