/** A URI reference taken apart (RFC 3986). The fragment is left out. */
export interface UriReference {
  readonly scheme?: string;
  readonly authority?: Authority;
  readonly path: string;
  readonly query?: string;
}

export interface Authority {
  readonly host: string;
  /** Empty: the scheme's default. */
  readonly port: string;
}

// Appendix B of the RFC; WHATWG's URL is more forgiving than a redirect may be.
const PARTS = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const AUTHORITY = /^(?:[^@[\]]*@)?(\[[0-9A-Fa-f:.]+\]|[^@:[\]]*)(?::([0-9]*))?$/;

/** Percent-encodes what a URL cannot hold and leaves the rest, valid escapes included, alone. */
export function percentEncode(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/%(?![0-9A-Fa-f]{2})|["<>\\^`{|}\x7f-\xff]|[^\x21-\x7e]/g, (char) => {
      return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    });
}

/** Brackets in paths and queries are common, though the RFC allows them around IPv6 addresses only. */
export function withoutBrackets(text: string): string {
  return text.replaceAll('[', '%5B').replaceAll(']', '%5D');
}

/** Takes apart a percent-encoded reference without a fragment; undefined: it is none. */
export function parseReference(text: string): UriReference | undefined {
  const parts = PARTS.exec(text);
  if (parts === null) return undefined;
  const [, scheme, authorityText, path = '', query] = parts;
  if (scheme !== undefined && !SCHEME.test(scheme)) return undefined;
  if (/[[\]]/.test(path + (query ?? ''))) return undefined;
  // What comes before a colon in the first segment would be a scheme.
  if (scheme === undefined && authorityText === undefined && /^[^/]*:/.test(path)) return undefined;
  const authority = authorityText === undefined ? undefined : parseAuthority(authorityText);
  if (authorityText !== undefined && authority === undefined) return undefined;
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(authority === undefined ? {} : { authority }),
    path,
    ...(query === undefined ? {} : { query }),
  };
}

function parseAuthority(text: string): Authority | undefined {
  const parts = AUTHORITY.exec(text);
  return parts === null ? undefined : { host: parts[1] ?? '', port: parts[2] ?? '' };
}

/** The target of a reference that stands in a document of the base (section 5.2.2). */
export function resolveReference(reference: UriReference, base: UriReference): UriReference {
  if (reference.scheme !== undefined) return { ...reference, path: removeDots(reference.path) };
  const scheme = base.scheme === undefined ? {} : { scheme: base.scheme };
  if (reference.authority !== undefined) {
    return { ...scheme, ...reference, path: removeDots(reference.path) };
  }
  const place = { ...scheme, ...(base.authority === undefined ? {} : { authority: base.authority }) };
  const query = reference.query ?? (reference.path === '' ? base.query : undefined);
  return {
    ...place,
    path: resolvePath(reference.path, base.path),
    ...(query === undefined ? {} : { query }),
  };
}

function resolvePath(path: string, basePath: string): string {
  if (path === '') return basePath;
  if (path.startsWith('/')) return removeDots(path);
  return removeDots(`${basePath.slice(0, basePath.lastIndexOf('/'))}/${path}`);
}

/** Works off the segments `.` and `..` (section 5.2.4). */
function removeDots(path: string): string {
  const segments = path.split('/');
  const kept: string[] = [];
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..' && kept.length > 1) kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (isLast) kept.push('');
  });
  return kept.join('/');
}
