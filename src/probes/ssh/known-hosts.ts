import { createHmac } from 'node:crypto';

/** A key that a file of known hosts gives a host. */
export interface KnownKey {
  readonly type: string;
  /** As on the wire. */
  readonly key: Buffer;
  readonly isRevoked: boolean;
}

/** The keys that a file in the format of OpenSSH's known_hosts has for a host. Certificate authorities are passed over. */
export function knownKeys(text: string, host: string, port: number): KnownKey[] {
  const name = port === 22 ? host : `[${host}]:${port}`;
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    const [hosts = '', type = '', key = ''] = words;
    if (hosts.startsWith('#') || key === '' || marker === '@cert-authority') return [];
    if (!matches(hosts, name.toLowerCase())) return [];
    return [{ type, key: Buffer.from(key, 'base64'), isRevoked: marker === '@revoked' }];
  });
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return matchesHash(hosts, name);
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (isLike(pattern.slice(1), name)) return false;
    } else if (isLike(pattern, name)) found = true;
  }
  return found;
}

/** `|1|salt|HMAC-SHA1 of the name`, both in base64. */
function matchesHash(hosts: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hosts.split('|');
  const wanted = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64');
  return wanted === hash;
}

/** Wildcards `*` and `?`, nothing else. */
function isLike(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
