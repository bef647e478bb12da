import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../model/clock.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import { isMetadataAddress } from '../metadata-address.js';
import type { Resolution } from '../resolve-host.js';
import { HostsFile } from './hosts-file.js';
import { type DnsAnswer, queryDns } from './query.js';

const MAX_NAMES = 10_000;
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 3_600_000;
/** How long it is believed that there is no such name. */
const NONE_TTL_MS = 5_000;
/** How long an old answer is used when nobody can give a new one. */
const STALE_MS = 3_600_000;
const MAX_SEARCH_DOMAINS = 6;

export interface HostResolverOptions {
  readonly clock: Clock;
  /** Default /etc/hosts. */
  readonly hostsPath?: string;
  /** Default /etc/resolv.conf; only its search list is read here. */
  readonly resolvConfPath?: string;
  /** `address:port` of name servers; default those of resolv.conf. */
  readonly servers?: readonly string[];
  /** First wait for a name server, ms; default 1500. */
  readonly queryTimeoutMs?: number;
  /** Whether IPv6 is tried first; default: where this host has a global IPv6 address. */
  readonly prefersIpv6?: () => boolean;
}

interface Known {
  readonly answer: Exclude<DnsAnswer, { trouble: string }>;
  readonly untilMs: number;
}

/**
 * Looks hosts up without a thread of libuv: /etc/hosts first, then DNS, whose answers are kept for their TTL. Many that
 * ask for one name at once share the question.
 */
export class HostResolver {
  readonly #options: HostResolverOptions;
  readonly #hosts: HostsFile;
  /** In order of use. */
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<DnsAnswer>>();

  constructor(options: HostResolverOptions) {
    this.#options = options;
    this.#hosts = new HostsFile(options.hostsPath ?? '/etc/hosts');
  }

  /** Never rejects. An IP address is its own answer. */
  async resolve(host: string, options: { readonly deadlineMs: number }): Promise<Resolution> {
    if (isIP(host) !== 0) return { addresses: [host] };
    const name = host.toLowerCase().replace(/\.$/, '');
    const written = await this.#hosts.addressesOf(name);
    if (written.length > 0) return this.#answer(name, written);
    if (name === 'localhost' || name.endsWith('.localhost'))
      return { addresses: this.#order(['::1', '127.0.0.1']) };
    // Reserved so that it never is (RFC 6761); name servers that do not know that would be asked each time.
    if (name.endsWith('.invalid')) return failed(`there is no host ${name}`);
    const known = this.#known.get(name);
    if (known !== undefined && known.untilMs > this.#options.clock.now())
      return this.#resolution(name, known.answer);
    const answer = await this.#within(this.#ask(name, host.endsWith('.')), options.deadlineMs);
    if (!('trouble' in answer)) return this.#resolution(name, answer);
    const isUsable = known !== undefined && known.untilMs + STALE_MS > this.#options.clock.now();
    if (isUsable && 'found' in known.answer) return this.#resolution(name, known.answer);
    return {
      outcome: { result: 'inconclusive', reason: 'prober-resources' },
      detail: plainText(`no name server could tell the address of ${name}: ${answer.trouble}`),
    };
  }

  #ask(name: string, isWhole: boolean): Promise<DnsAnswer> {
    const asking =
      this.#asking.get(name) ?? this.#askAll(name, isWhole).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  /** A name without a dot is tried below the search domains first. */
  async #askAll(name: string, isWhole: boolean): Promise<DnsAnswer> {
    const { servers, queryTimeoutMs = 1_500 } = this.#options;
    const domains = isWhole || name.includes('.') ? [] : await this.#searchDomains();
    let last: DnsAnswer = { none: true, detail: `there is no host ${name}` };
    for (const candidate of [...domains.map((domain) => `${name}.${domain}`), name]) {
      last = await queryDns(candidate, {
        timeoutMs: queryTimeoutMs,
        ...given({ servers }),
      });
      if (!('none' in last)) break;
    }
    if (!('trouble' in last)) this.#keep(name, last);
    return last;
  }

  #keep(name: string, answer: Known['answer']): void {
    const ttlMs =
      'none' in answer ? NONE_TTL_MS : Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, answer.ttlSeconds * 1000));
    this.#known.delete(name);
    this.#known.set(name, { answer, untilMs: this.#options.clock.now() + ttlMs });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_NAMES) break;
      this.#known.delete(oldest);
    }
  }

  #resolution(name: string, answer: Known['answer']): Resolution {
    return 'none' in answer ? failed(answer.detail) : this.#answer(name, answer.found);
  }

  /** A name that leads to a link-local or metadata address is refused: whoever owns the name chooses it. */
  #answer(name: string, addresses: readonly string[]): Resolution {
    const refused = addresses.find(isMetadataAddress);
    if (refused === undefined) return { addresses: this.#order(addresses) };
    return failed(
      `${name} leads to ${refused}, a link-local or metadata address; write the address to probe it`,
    );
  }

  /** The first of each family, in the order of RFC 6724 as far as it matters here: IPv6 first where this host has it. */
  #order(addresses: readonly string[]): readonly string[] {
    const first = (family: 4 | 6) => addresses.filter((address) => isIP(address) === family).slice(0, 1);
    const prefersIpv6 = (this.#options.prefersIpv6 ?? hasGlobalIpv6)();
    return prefersIpv6 ? [...first(6), ...first(4)] : [...first(4), ...first(6)];
  }

  async #searchDomains(): Promise<readonly string[]> {
    const text = await readFile(this.#options.resolvConfPath ?? '/etc/resolv.conf', 'utf8').catch(() => '');
    const line = text.split('\n').findLast((each) => /^\s*(search|domain)\s/.test(each)) ?? '';
    const [, ...domains] = line.trim().split(/\s+/);
    return domains.slice(0, MAX_SEARCH_DOMAINS).map((domain) => domain.replace(/\.$/, ''));
  }

  async #within(asking: Promise<DnsAnswer>, deadlineMs: number): Promise<DnsAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<DnsAnswer>((resolve) => {
      timer = setTimeout(
        () => resolve({ trouble: `no answer within ${Math.round(deadlineMs)} ms` }),
        deadlineMs,
      );
    });
    try {
      return await Promise.race([asking, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function failed(detail: string): Resolution {
  return { outcome: { result: 'failed', reason: 'dns-failure' }, detail: plainText(detail) };
}

function hasGlobalIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses = []) =>
    addresses.some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80:'),
    ),
  );
}
