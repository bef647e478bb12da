import { describe, expect, it } from 'vitest';
import { Hop } from '../../../src/engine/portable/http/hop.js';
import { HttpPlan } from '../../../src/engine/portable/http/plan.js';
import { compileRegex, matches } from '../../../src/engine/portable/http/regex.js';
import { checkExpiry, TlsClient } from '../../../src/engine/portable/stream/tls-client.js';
import type { HttpGetOptions } from '../../../src/model/probe.js';
import { errorOf } from './support.js';

const CLIENT = new TlsClient(undefined);

function plan(options: Partial<HttpGetOptions> = {}): HttpPlan {
  const http: HttpGetOptions = { scheme: 'http', port: 8080, path: '/healthz', headers: [], ...options };
  return new HttpPlan(http, CLIENT, 'vmpulse/test');
}

function request(options: Partial<HttpGetOptions> = {}, host = '10.0.0.1'): string {
  const of = plan(options);
  const { head, body } = of.request(Hop.first(of, host));
  return Buffer.concat([head, body]).toString('utf8');
}

describe('requests', () => {
  it('the default one', () => {
    expect(request()).toBe(
      'GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: vmpulse/test\r\nAccept: */*\r\nConnection: close\r\n\r\n',
    );
  });

  it('user headers replace ours whatever their case', () => {
    const headers = [
      ['user-agent', 'me'],
      ['ACCEPT', 'text/html'],
      ['X-A', '1'],
      ['X-A', '2'],
    ] as const;
    const text = request({ headers });
    expect(text).toMatch(
      /Connection: close\r\nuser-agent: me\r\nACCEPT: text\/html\r\nX-A: 1\r\nX-A: 2\r\n\r\n$/,
    );
    expect(text).not.toContain('vmpulse');
  });

  it('an empty value removes ours and stays empty otherwise', () => {
    const headers = [
      ['Accept', ''],
      ['user-agent', ''],
      ['connection', ''],
      ['X-Empty', ''],
    ] as const;
    expect(request({ headers })).toBe('GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nX-Empty: \r\n\r\n');
  });

  it('a Host header sets the host and cannot be removed', () => {
    const text = request({ headers: [['host', 'app.example']] });
    expect(text.match(/host: .*/gi)).toEqual(['Host: app.example']);
    expect(request({ headers: [['Host', '']] })).toContain('\r\nHost: 10.0.0.1:8080\r\n');
  });

  it('the host line leaves out default ports and brackets IPv6', () => {
    expect(request({ port: 80 })).toContain('Host: 10.0.0.1\r\n');
    expect(request({ port: 443 })).toContain('Host: 10.0.0.1:443\r\n');
    expect(request({ port: 80 }, 'fe80::1%eth0')).toContain('Host: [fe80::1]\r\n');
    expect(request({ port: 81 }, '::1')).toContain('Host: [::1]:81\r\n');
  });

  it('bodies come with their length in bytes', () => {
    expect(request({ method: 'POST', body: 'grün' })).toMatch(/Content-Length: 5\r\n\r\ngrün$/);
    expect(request({ method: 'POST' })).toMatch(/Content-Length: 0\r\n\r\n$/);
  });

  it('keep-alive says nothing of closing', () => {
    expect(request({ keepAlive: true })).not.toContain('Connection');
  });

  it.each([
    ['', '/'],
    ['healthz', '/healthz'],
    ['?a=b', '/?a=b'],
    ['/a b?q="ä"#part', '/a%20b?q=%22%C3%A4%22'],
    ['/100%/%41?a[]=1', '/100%25/%41?a[]=1'],
  ])('the path %j is made sendable', (path, sent) => {
    expect(request({ path }).split('\r\n')[0]).toBe(`GET ${sent} HTTP/1.1`);
  });

  it('SNI and the name to verify follow the Host header', () => {
    const name = (headers: HttpGetOptions['headers'], host = '10.0.0.1') =>
      Hop.first(plan({ headers }), host).serverName;
    expect(name([['Host', 'app.example:9000']])).toBe('app.example');
    expect(name([['Host', '[::1]:9000']])).toBe('::1');
    expect(name([])).toBe('10.0.0.1');
    expect(name([], 'localhost')).toBe('localhost');
  });
});

describe('what cannot be sent or expected is refused with its field', () => {
  it.each<[string, Partial<HttpGetOptions>]>([
    ['http.headers', { headers: [['X-A', 'a\r\nX-B: b']] }],
    ['http.headers', { headers: [['X-A', 'a\0']] }],
    ['http.headers', { headers: [['X A', 'a']] }],
    ['http.headers', { headers: [['', 'a']] }],
    ['http.headers', { headers: [['X\r\nY', 'a']] }],
    ['http.headers', { headers: [['Content-Length', '5']] }],
    ['http.headers', { headers: [['transfer-encoding', 'chunked']] }],
    ['http.headers', { headers: [['Host', 'a b']] }],
    ['http.headers', { headers: Array.from({ length: 65 }, () => ['A', 'b'] as const) }],
    ['http.headers', { headers: [['A', 'b'.repeat(9000)]] }],
    ['http.path', { path: '/\r\n' }],
    ['http.path', { path: '/'.repeat(9000) }],
    ['http.method', { method: 'GE T' }],
    ['http.method', { method: 'CONNECT' }],
    ['http.body', { body: 'x'.repeat(70_000) }],
    ['http.port', { port: 0 }],
    ['http.maxBodyBytes', { maxBodyBytes: 0 }],
    ['http.maxBodyBytes', { maxBodyBytes: 2 ** 30 }],
    ['http.expect.status', { expect: { status: [[300, 200]] } }],
    ['http.expect.status', { expect: { status: [[0, 200]] } }],
    ['http.expect.bodyRegex', { expect: { bodyRegex: '(' } }],
    ['http.expect.bodyRegex', { expect: { bodyRegex: 'x'.repeat(5000) } }],
    ['http.expect.headers', { expect: { headers: [['a b', '']] } }],
    ['http.expect', { method: 'HEAD', expect: { bodyContains: 'x' } }],
  ])('%s (case %#)', (field, options) => {
    const error = errorOf(() => plan(options));
    expect(error.code).toBe('ERR_VMPULSE_ARGUMENT');
    expect(error.message.split(': ')[0]).toBe(field);
  });

  it.each([
    '',
    'a b',
    'a/b',
    'a\r\nX: y',
    '[::1]',
    '1:2:3',
    'app%2e',
    'a'.repeat(300),
  ])('the host of case %#', (host) => {
    expect(errorOf(() => Hop.first(plan(), host)).message).toBe(
      'http.host: must be a host name or an IP address',
    );
  });

  it.each([
    'a..b',
    '-a',
    'a-',
    '12',
    'a.12',
    `${'a'.repeat(64)}.b`,
  ])('the host %j, which TLS cannot ask for', (host) => {
    expect(errorOf(() => Hop.first(plan({ scheme: 'https' }), host)).message).toBe(
      'http.host: is not a name that TLS can ask for',
    );
  });
});

describe('regular expressions', () => {
  it.each([
    ['^up$', 'up', true],
    ['^up$', 'up\n', false],
    ['(?i)UP', 'up', true],
    ['(?ms)^b.c$', 'a\nb\nc', true],
    ['"status":\\s*"(UP|OK)"', '{"status": "OK"}', true],
    ['a[+\\]-]b', 'a]b', true],
    ['\\(\\?=', '(?=', true],
    ['ä+', 'ää', true],
  ])('%j against %j', (pattern, text, wanted) => {
    expect(matches(compileRegex(pattern), text)).toBe(wanted);
  });

  it.each([
    '(?=a)',
    '(?<!a)',
    '(a)\\1',
    '(?<n>a)\\k<n>',
    '[a&&b]',
    '[[:alpha:]]',
    '\\A',
    '(?P<n>a)',
    '(?x)a',
    '(',
    '(?i',
  ])('%j is refused: the engines would not agree on it', (pattern) => {
    expect(() => compileRegex(pattern)).toThrow();
  });

  it('gives up on a match that takes too long', () => {
    expect(matches(compileRegex('^(a+)+$'), `${'a'.repeat(5000)}b`)).toBeUndefined();
    expect(matches(compileRegex('^(a+)+$'), 'aaaa'), 'and goes on').toBe(true);
  });
});

describe('certificates', () => {
  const DAY = 86_400_000;

  it.each([
    [365, 365, undefined],
    [365, 366, 'the certificate expires in 365 days, wanted 366'],
    [-3, 0, 'the certificate expired 3 days ago'],
  ])('%i days left, %i wanted', (left, wanted, message) => {
    const found = checkExpiry(1e12 + left * DAY, wanted, 1e12);
    expect(found?.message).toBe(message);
    if (found !== undefined) expect(found.reason).toBe('certificate-expired');
  });

  it('dates that cannot be read are no proof', () => {
    expect(checkExpiry(undefined, 1, 0)?.reason).toBe('certificate-untrusted');
  });

  it.each([
    ['', 'caPem holds no certificate'],
    ['no pem at all', 'caPem holds no certificate'],
    [
      '-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n',
      'caPem: certificate 1 of the CA bundle cannot be read',
    ],
  ])('the bundle %j is refused', (pem, message) => {
    expect(errorOf(() => new TlsClient(pem)).message).toBe(message);
  });
});
