import { isIPv6 } from 'node:net';
import { argumentError } from '../argument.js';
import { isServerName } from '../stream/server-name.js';
import type { HttpPlan } from './plan.js';
import { parseReference, percentEncode, resolveReference, withoutBrackets } from './uri.js';

/** Redirects that are followed. */
export const MAX_REDIRECTS = 10;
const MAX_HOST_BYTES = 253;

/** What a `Location` means: a hop, another host (not ours to follow), or nothing that could be followed. */
export type Redirect = Hop | 'other-host' | 'bad';

interface HopFields {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly target: string;
  /** The user's `Host` header, where it holds. */
  readonly hostHeader: string | undefined;
  readonly redirects: number;
}

/** One request of a probe: the first one or a followed redirect. */
export class Hop {
  readonly #fields: HopFields;
  readonly port: number;
  readonly tls: boolean;
  readonly target: string;
  /** How many redirects led here. */
  readonly redirects: number;

  private constructor(fields: HopFields) {
    this.#fields = fields;
    this.port = fields.port;
    this.tls = fields.tls;
    this.target = fields.target;
    this.redirects = fields.redirects;
  }

  /** The first request. `host`: a name or IP literal without brackets. Throws ERR_VMPULSE_ARGUMENT. */
  static first(plan: HttpPlan, host: string): Hop {
    // The zone of a link-local address is ours alone.
    const [address = ''] = host.split('%');
    const name = isIPv6(address) ? address : host;
    if (
      name.length === 0 ||
      name.length > MAX_HOST_BYTES ||
      !(/^[A-Za-z0-9._-]+$/.test(name) || isIPv6(name))
    ) {
      throw argumentError('http.host: must be a host name or an IP address');
    }
    const { port, tls, target, hostHeader } = plan;
    const hop = new Hop({ host: name, port, tls, target, hostHeader, redirects: 0 });
    if (tls && hop.serverName === undefined) {
      throw argumentError('http.host: is not a name that TLS can ask for');
    }
    return hop;
  }

  /** The value of the `Host` header. */
  get hostLine(): string {
    return this.#fields.hostHeader ?? this.#authority;
  }

  /** The name or address that the certificate must be for; names are asked for by SNI. Undefined: neither. */
  get serverName(): string | undefined {
    const { host, hostHeader } = this.#fields;
    const name = hostHeader === undefined ? host : hostWithoutPort(hostHeader);
    return isServerName(name) ? name : undefined;
  }

  /** Resolves a `Location` (a byte a character) against this request. */
  redirect(location: string): Redirect {
    const { host, tls: wasTls } = this.#fields;
    const [kept = ''] = location.split('#');
    const text = percentEncode(Buffer.from(kept, 'latin1'));
    const reference = parseReference(text) ?? parseReference(withoutBrackets(text));
    const base = parseReference(
      `${wasTls ? 'https' : 'http'}://${this.#authority}${withoutBrackets(this.target)}`,
    );
    if (reference === undefined || base === undefined) return 'bad';
    const url = resolveReference(reference, base);
    if (url.authority === undefined || !isSameHost(host, url.authority.host)) return 'other-host';
    const scheme = url.scheme?.toLowerCase();
    if (scheme !== 'http' && scheme !== 'https') return 'bad';
    const tls = scheme === 'https';
    const port = url.authority.port === '' ? (tls ? 443 : 80) : Number(url.authority.port);
    if (port < 1 || port > 65_535) return 'bad';
    const query = url.query === undefined ? '' : `?${url.query}`;
    const hop = new Hop({
      host,
      port,
      tls,
      target: `${url.path.startsWith('/') ? '' : '/'}${url.path}${query}`,
      hostHeader: reference.scheme === undefined ? this.#fields.hostHeader : undefined,
      redirects: this.redirects + 1,
    });
    return tls && hop.serverName === undefined ? 'bad' : hop;
  }

  /** Host, in brackets if it is an IPv6 literal, and the port unless it is the scheme's default. */
  get #authority(): string {
    const { host: name, port, tls } = this.#fields;
    const host = name.includes(':') ? `[${name}]` : name;
    return port === (tls ? 443 : 80) ? host : `${host}:${port}`;
  }
}

/** The host part of a `Host` header. */
function hostWithoutPort(host: string): string {
  if (host.startsWith('[')) return host.slice(1).split(']')[0] ?? '';
  const colon = host.lastIndexOf(':');
  return colon === -1 ? host : host.slice(0, colon);
}

function isSameHost(ours: string, theirs: string): boolean {
  const bare = theirs.replace(/^\[|\]$/g, '');
  if (isIPv6(ours) && isIPv6(bare)) return canonicalIpv6(ours) === canonicalIpv6(bare);
  return ours.toLowerCase() === bare.toLowerCase();
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname;
}
