import { get as getPlainly, type IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { VmpulseError } from '../model/errors.js';

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_HOPS = 10;

export type Ask = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<IncomingMessage>;

/** Asks for a URL, and for those that it leads to: none of them may be less safe than the one before. */
export async function follow(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  ask: Ask = askOnce,
): Promise<IncomingMessage> {
  let at = url;
  for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
    const response = await ask(at, headers, signal);
    const { location } = response.headers;
    if (!REDIRECTS.includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    at = next(url, at, location);
  }
  throw failed(url, `it leads to more than ${MAX_HOPS} other places, one after the other`);
}

/** Not by fetch: a server that ends its connection while the disk is slower than it takes the process with it (undici 7.30). */
const askOnce: Ask = (url, headers, signal) =>
  new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getSecurely : getPlainly;
    const options = { headers: { 'user-agent': 'vmpulse', ...headers }, signal, agent: false };
    get(url, options, resolve).on('error', reject);
  });

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

/** None is sent: a URL is shown, kept and logged. */
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
