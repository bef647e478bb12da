import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { errorMessage } from '../model/errors.js';
import { isMetadataAddress } from './metadata-address.js';

/** An address, or why there is none. */
export type Resolution =
  | { readonly ip: string }
  | { readonly failure: 'dns-failure'; readonly detail: string };

/** Looks a host up; never rejects. */
export type ResolveHost = (host: string) => Promise<Resolution>;

/**
 * Resolves through the host's own resolver, first address first. An IP literal is its own answer. A name that leads to a
 * link-local or metadata address is refused.
 */
export async function resolveHost(
  host: string,
  options: { readonly deadlineMs: number },
): Promise<Resolution> {
  if (isIP(host) !== 0) return { ip: host };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Resolution>((resolve) => {
    const detail = `${host} was not resolved within ${options.deadlineMs} ms`;
    timer = setTimeout(() => resolve({ failure: 'dns-failure', detail }), options.deadlineMs);
  });
  const found = lookup(host).then(
    ({ address }): Resolution => (isMetadataAddress(address) ? refused(host, address) : { ip: address }),
    (error: unknown): Resolution => ({ failure: 'dns-failure', detail: errorMessage(error) }),
  );
  try {
    return await Promise.race([found, late]);
  } finally {
    clearTimeout(timer);
  }
}

function refused(host: string, address: string): Resolution {
  const detail = `${host} leads to ${address}, a link-local or metadata address; write the address to probe it`;
  return { failure: 'dns-failure', detail };
}
