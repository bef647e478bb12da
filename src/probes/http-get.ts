import { given } from '../model/given.js';
import type { HttpGetOptions, ProbeCheck } from '../model/probe.js';
import { hostProblem } from './fields.js';
import { httpGetSchema, pathProblem } from './http-options.js';
import { defineKind, missingContext } from './probe-kind.js';
import { hostPort, parseSocketPath, targetError } from './target-text.js';

type HttpGetCheck = Extract<ProbeCheck, { kind: 'httpGet' }>;

const TARGET = 'a URL such as http://192.0.2.10:8080/healthz, host:port/path, or unix:/run/app.sock:/healthz';

function parseUnixTarget(text: string, name: string): HttpGetOptions {
  const rest = text.slice('unix:'.length);
  const colon = rest.indexOf(':');
  const socket = colon === -1 ? rest : rest.slice(0, colon);
  const path = colon === -1 ? '/' : rest.slice(colon + 1);
  const wrong = path.startsWith('/') ? pathProblem(path) : 'does not begin with /';
  if (wrong !== undefined) throw targetError(name, text, `has a path that ${wrong.split(';')[0]}`, TARGET);
  return { scheme: 'http', port: 80, path, headers: [], unixSocket: parseSocketPath(socket, name, TARGET) };
}

function parseUrlTarget(text: string, name: string): HttpGetOptions {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `${name === 'https' ? 'https' : 'http'}://${text}`;
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch {
    throw targetError(name, text, 'is not a URL', TARGET);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw targetError(name, text, `has the scheme ${url.protocol.slice(0, -1)}`, TARGET);
  }
  if (url.username !== '' || url.password !== '') {
    throw targetError(name, text, "has a user or password (use --header 'Authorization: …')", TARGET);
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const wrong = hostProblem(host);
  if (wrong !== undefined) throw targetError(name, text, `has a host that ${wrong.split(';')[0]}`, TARGET);
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  if (port === 0) throw targetError(name, text, 'has no port between 1 and 65535', TARGET);
  return { scheme, host, port, path: url.pathname + url.search, headers: [] };
}

function label(http: HttpGetOptions): string {
  const method = http.method ?? 'GET';
  if (http.unixSocket !== undefined) return `HTTP ${method} ${http.path} over ${http.unixSocket}`;
  if (http.host === undefined)
    return `${http.scheme.toUpperCase()} ${method} ${http.path} on port ${http.port}`;
  return `HTTP ${method} ${http.scheme}://${hostPort(http.host, http.port)}${http.path}`;
}

/** Sends an HTTP request; ok when the response is as expected, by default any status from 200 to 399. */
export const httpGet = defineKind<HttpGetCheck>({
  kind: 'httpGet',
  aliases: ['http', 'https'],
  summary: 'sends an HTTP request and looks at the response',
  targetHelp: TARGET,
  schema: httpGetSchema.transform((http): HttpGetCheck => ({ kind: 'httpGet', http })),
  parseTarget: (text, name) => ({
    check: {
      kind: 'httpGet',
      http: text.startsWith('unix:') ? parseUnixTarget(text, name) : parseUrlTarget(text, name),
    },
  }),
  lookups: ({ http }) => ({
    ...given({ caFile: http.caFile }),
    ...(http.verify === true && http.caFile === undefined ? { hostCa: true } : {}),
    ...(http.unixSocket !== undefined
      ? {}
      : http.host === undefined
        ? { vmAddress: true }
        : { host: http.host }),
  }),
  guestPort: (check) => ({
    port: check.http.port,
    askedAt: (place) => ({ ...check, http: { ...check.http, ...place } }),
  }),
  lower: ({ http }, { address, caPem }) => {
    if (http.caFile !== undefined && caPem === undefined)
      throw missingContext('httpGet', `the contents of ${http.caFile}`);
    const ca = caPem === undefined ? {} : { caPem };
    if (http.unixSocket !== undefined)
      return { kind: 'httpGet', endpoint: { unix: http.unixSocket }, http, ...ca };
    if (address === undefined) throw missingContext('httpGet', 'an address');
    return { kind: 'httpGet', endpoint: { ip: address, port: http.port }, http, ...ca };
  },
  label: ({ http }) => label(http),
});
