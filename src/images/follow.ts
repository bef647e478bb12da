import { VmpulseError } from '../model/errors.js';

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_HOPS = 10;

/** Asks for a URL, and for those that it leads to: none of them may be less safe than the one before. */
export async function follow(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  let at = url;
  for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
    const response = await fetch(at, { headers, signal, redirect: 'manual' });
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || location === null) return response;
    await response.body?.cancel();
    at = next(url, at, location);
  }
  throw failed(url, `it leads to more than ${MAX_HOPS} other places, one after the other`);
}

function next(url: URL, from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || !isHttp(to)) throw failed(url, 'it leads to what is no http or https URL');
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw failed(url, 'it leads to a place that is not encrypted');
  if (hasCredentials(to)) throw failed(url, 'it leads to a URL with a user name or password');
  return to;
}

export function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** fetch takes none, and says the whole URL where it refuses one. */
export function hasCredentials({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}

export function failed(url: URL, why: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_STORAGE', `${shownUrl(url)}: ${why}`);
}

/** Without what lets somebody in. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
