import { describe, expect, it } from 'vitest';
import { HttpExchange, type Progress } from '../../../src/engine/portable/http/exchange.js';
import { Hop } from '../../../src/engine/portable/http/hop.js';
import { HttpPlan } from '../../../src/engine/portable/http/plan.js';
import { TlsClient } from '../../../src/engine/portable/stream/tls-client.js';
import { Transcript } from '../../../src/engine/portable/transcript.js';
import type { ExchangeResult } from '../../../src/engine/portable/verdict.js';
import type { Outcome } from '../../../src/model/outcome.js';
import type { HttpGetOptions } from '../../../src/model/probe.js';
import { failed, OK } from '../../fakes/http-zoo-verdict.js';

type Options = Partial<HttpGetOptions>;
type End = 'eof' | 'silence';

const CLIENT = new TlsClient(undefined);

function plan(options: Options = {}): HttpPlan {
  const http: HttpGetOptions = { scheme: 'http', port: 8080, path: '/healthz', headers: [], ...options };
  return new HttpPlan(http, CLIENT, 'vmpulse/test');
}

/** What a stream in these pieces comes to. */
function feed(options: Options, pieces: readonly Buffer[], end: End, host = '10.0.0.1'): Progress {
  const of = plan(options);
  const exchange = new HttpExchange(of, Hop.first(of, host), undefined);
  exchange.request();
  for (const piece of pieces) {
    const progress = exchange.onBytes(piece);
    if (progress !== undefined) return progress;
  }
  return end === 'eof' ? exchange.onEof() : exchange.onAbort('response-timeout');
}

function isResult(progress: Progress): progress is ExchangeResult {
  return progress !== undefined && !(progress instanceof Hop);
}

function cut(bytes: Buffer, step: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step));
  return pieces;
}

/** Feeds a response in several cuts, which must agree, and gives the result of the whole. */
function answer(response: string, end: End, options: Options = {}): ExchangeResult {
  const bytes = Buffer.from(response, 'latin1');
  const whole = feed(options, bytes.length === 0 ? [] : [bytes], end);
  if (!isResult(whole)) throw new Error('redirected');
  for (const step of [1, 2, 7, Math.floor(bytes.length / 2) + 1]) {
    const pieces = feed(options, cut(bytes, step), end);
    if (!isResult(pieces)) throw new Error(`redirected in steps of ${step}`);
    const { outcome, measured, warnings } = pieces;
    expect({ outcome, measured, warnings }, `in steps of ${step}`).toEqual({
      outcome: whole.outcome,
      measured: whole.measured,
      warnings: whole.warnings,
    });
  }
  return whole;
}

function outcome(response: string, end: End, options: Options = {}): Outcome {
  return answer(response, end, options).outcome;
}

/** A response with status 200: the rest of its head and its body. */
const ok = (rest: string): string => `HTTP/1.1 200 OK\r\n${rest}`;
const chunked = (body: string): string => ok(`Transfer-Encoding: chunked\r\n\r\n${body}`);

describe('complete responses are ok without waiting for more', () => {
  it.each([
    ok('Content-Length: 2\r\n\r\nok'),
    ok('Content-Length: 0\r\n\r\n'),
    ok('Content-Length: 2\r\ncontent-length: 2\r\n\r\nok'),
    chunked('2\r\nok\r\n0\r\n\r\n'),
    ok('Transfer-Encoding: Chunked\r\nContent-Length: 77\r\n\r\n1;a=b\r\no\r\n01 \r\nk\r\n0\r\nT: x\r\n\r\n'),
    'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n',
    'HTTP/1.1 304 \r\n\r\n',
    'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1  200  OK\nContent-Length: 0\n\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok',
    ok('X: folded\r\n  value\r\nContent-Length: 0\r\n\r\n'),
    ok('Content-Length: 2\r\n\r\nokHTTP/1.1 500 pipelined garbage\r\n\r\n\0\x7f'),
  ])('%j', (response) => {
    expect(outcome(response, 'silence')).toEqual(OK);
  });
});

describe('framing', () => {
  it('without a length the end of the stream ends the body', () => {
    const { outcome: verdict, measured } = answer(ok('\r\nsome body'), 'eof');
    expect([verdict, measured.bodyBytes]).toEqual([OK, 9]);
    expect(outcome(ok('\r\nsome body'), 'silence')).toEqual(failed('response-timeout'));
  });

  it('a HEAD request expects no body', () => {
    expect(outcome(ok('Content-Length: 99\r\n\r\n'), 'silence', { method: 'HEAD' })).toEqual(OK);
    expect(outcome(ok('\r\n'), 'silence', { method: 'HEAD' })).toEqual(OK);
  });

  it('interim responses are skipped up to five', () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n';
    const last = ok('Content-Length: 0\r\n\r\n');
    expect(outcome(`${interim.repeat(5)}${last}`, 'silence')).toEqual(OK);
    expect(outcome(`${interim.repeat(6)}${last}`, 'silence')).toEqual(failed('protocol-error'));
    expect(outcome(interim, 'silence')).toEqual(failed('response-timeout'));
    expect(outcome(interim, 'eof')).toEqual(failed('connection-closed'));
    expect(outcome('HTTP/1.1 101 Switching\r\n\r\n', 'silence')).toEqual(failed('protocol-error'));
  });

  it.each([
    '',
    'HT',
    'HTTP/1.1 200 OK\r\nContent-Le',
    ok('Content-Length: 5\r\n\r\nfour'),
    chunked('5\r\nfou'),
    chunked('4\r\nfour\r\n0\r\n'),
  ])('an early end is connection-closed and silence a timeout: %j', (response) => {
    expect(outcome(response, 'eof')).toEqual(failed('connection-closed'));
    expect(outcome(response, 'silence')).toEqual(failed('response-timeout'));
  });

  it.each([
    '<html>HTTP/0.9</html>',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\0\0\x12\x04\0\0\0\0\0',
    '\x15\x03\x01\0\x02\x02\x46',
    'SSH-2.0-OpenSSH_9.2\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    'HTTP/1.1 20\r\n\r\n',
    'HTTP/1.7 200 OK\r\n\r\n',
    'HTTP/1.1200 OK\r\n\r\n',
    ...['no colon', 'Bad Name: x', 'Space : x', 'Nul: \0', ': x'].map((line) => ok(`${line}\r\n\r\n`)),
    ...['', '-1', '+1', '1, 1', '0x10', '1 1', '9223372036854775808', '99999999999999999999', 'five'].map(
      (value) => ok(`Content-Length: ${value}\r\n\r\n`),
    ),
    ok('Content-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    ...['gzip', 'gzip, chunked', '', 'chunked\r\nTransfer-Encoding: chunked'].map((lines) =>
      ok(`Transfer-Encoding: ${lines}\r\n\r\n0\r\n\r\n`),
    ),
    ...['\r\n', 'x\r\n', '-1\r\n', '5;ext\n', '2\nok', '2\r\nokay\r\n', '2\r\nok\n', '2\r\nok\rX'].map(
      chunked,
    ),
    ...['2 \rX', '2x\r\n', '11111111111111111\r\n', '0\r\n\n', '0\r\n\rX'].map(chunked),
  ])('a protocol error at once: %j', (response) => {
    expect(outcome(response, 'silence')).toEqual(failed('protocol-error'));
  });
});

describe('bounds', () => {
  it.each([
    ['129 headers', ok(`${'X: y\r\n'.repeat(129)}\r\n`)],
    ['a header without end', ok(`X: ${'y'.repeat(70_000)}`)],
    ['headers without end', ok('X-Long: 0123456789\r\n'.repeat(4000))],
    ['a status line without end', `HTTP/1.1 ${'2'.repeat(70_000)}`],
    ['heads over 64 KiB together', `HTTP/1.1 103 x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`.repeat(4)],
    ['a chunk extension without end', chunked(`1;${'e'.repeat(5000)}`)],
    ['mostly framing', chunked(`1;${'e'.repeat(4000)}\r\nx\r\n`.repeat(6))],
    ['trailers without end', chunked(`0\r\n${'T: x\r\n'.repeat(2000)}`)],
  ])('%s: response-too-large', (_name, response) => {
    expect(outcome(response, 'silence')).toEqual(failed('response-too-large'));
  });

  it('128 headers and a byte a chunk are allowed', () => {
    expect(outcome(ok(`${'X: y\r\n'.repeat(127)}Content-Length: 0\r\n\r\n`), 'silence')).toEqual(OK);
    expect(outcome(chunked(`${'1\r\nx\r\n'.repeat(9000)}0\r\n\r\n`), 'silence')).toEqual(OK);
  });

  it.each([
    ok(`\r\n${'x'.repeat(20_000)}`),
    ok(`Content-Length: 100000000\r\n\r\n${'x'.repeat(20_000)}`),
    chunked(`2800\r\n${'x'.repeat(0x2800)}\r\nnot a chunk`),
  ])('ten kibibytes of body are enough', (response) => {
    const { outcome: verdict, measured } = answer(response, 'silence');
    expect([verdict, measured.bodyBytes]).toEqual([OK, 10_240]);
  });

  it("a limit of the user's own is a bound", () => {
    const judge = (rest: string, end: End): Outcome => outcome(ok(rest), end, { maxBodyBytes: 4 });
    expect(judge('Content-Length: 4\r\n\r\nfour', 'silence')).toEqual(OK);
    expect(judge('Content-Length: 5\r\n\r\n', 'silence')).toEqual(failed('response-too-large'));
    expect(judge('\r\nfour', 'eof')).toEqual(OK);
    expect(judge('\r\nfive!', 'silence')).toEqual(failed('response-too-large'));
    const large = { maxBodyBytes: 100_000, expect: { bodyContains: 'end' } };
    expect(outcome(ok(`\r\n${'x'.repeat(90_000)}end`), 'eof', large)).toEqual(OK);
  });
});

describe('expectations', () => {
  const judge = (options: Options, head: string, body = ''): ExchangeResult =>
    answer(`HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'silence', options);

  it.each([
    ['099', 'bad-status'],
    ['200', undefined],
    ['399', undefined],
    ['400', 'bad-status'],
    ['503', 'bad-status'],
    ['999', 'bad-status'],
  ] as const)('status %s by default', (status, reason) => {
    const wanted = reason === undefined ? OK : failed(reason);
    expect(judge({}, `${status} x`).outcome).toEqual(wanted);
  });

  it('other statuses may be expected', () => {
    const expects = {
      expect: {
        status: [
          [200, 200],
          [404, 410],
        ],
      },
    } as const;
    expect(judge(expects, '410 x').outcome).toEqual(OK);
    expect(judge(expects, '201 x')).toMatchObject({
      outcome: failed('bad-status'),
      message: 'status 201, expected 200, 404-410',
    });
  });

  it.each([
    ['x-role', 'primary', OK],
    ['x-role', 'other', OK],
    ['x-role', '', OK],
    ['x-role', 'Primary', failed('bad-header')],
    ['x-gone', '', failed('bad-header')],
  ])('header %s: %s', (name, value, wanted) => {
    const head = '200 OK\r\nX-Role:  primary \r\nX-Role: other';
    expect(judge({ expect: { headers: [[name, value]] } }, head).outcome).toEqual(wanted);
  });

  it('a header is compared by its bytes', () => {
    const bytes = Buffer.from('ü', 'utf8').toString('latin1');
    expect(judge({ expect: { headers: [['X', 'ü']] } }, `200 OK\r\nX: ${bytes}`).outcome).toEqual(OK);
  });

  it('bodies are searched', () => {
    const body = '{"status": "pass"}';
    expect(judge({ expect: { bodyContains: '"pass"' } }, '200 x', body).outcome).toEqual(OK);
    expect(judge({ expect: { bodyContains: 'PASS' } }, '200 x', body).outcome).toEqual(failed('bad-body'));
    const regex = (pattern: string) => ({ expect: { bodyRegex: pattern } });
    expect(judge(regex('"status":\\s*"(pass|warn)"'), '200 x', body).outcome).toEqual(OK);
    expect(judge(regex('(?i)PASS'), '200 x', body).outcome).toEqual(OK);
    expect(judge(regex('^fail'), '200 x', '\0no').message).toBe(
      'the body (3 bytes read) does not match; it begins "\\x00no"',
    );
  });

  it('what lies beyond ten kibibytes is not seen', () => {
    const needle = { expect: { bodyContains: 'needle' } };
    expect(judge(needle, '200 x', `${'x'.repeat(10_234)}needle`).outcome).toEqual(OK);
    expect(judge(needle, '200 x', `${'x'.repeat(10_235)}needle`).outcome).toEqual(failed('bad-body'));
  });

  it('the status is judged before the headers and the headers before the body', () => {
    const all = { expect: { headers: [['X', '']], bodyContains: 'x' } } as const;
    expect(judge(all, '500 x').outcome).toEqual(failed('bad-status'));
    expect(judge(all, '200 x').outcome).toEqual(failed('bad-header'));
    expect(judge(all, '200 x\r\nX: 1').outcome).toEqual(failed('bad-body'));
    expect(judge(all, '200 x\r\nX: 1', 'x').outcome).toEqual(OK);
  });

  it('a body that a pattern cannot be matched against in time is inconclusive', () => {
    const result = judge({ expect: { bodyRegex: '^(a+)+$' } }, '200 x', `${'a'.repeat(5000)}b`);
    expect(result.outcome).toEqual({ result: 'inconclusive', reason: 'prober-resources' });
  });
});

describe('redirects', () => {
  const moved = (status: number, location: string): Buffer =>
    Buffer.from(`HTTP/1.1 ${status} x\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`, 'latin1');
  const redirected = (options: Options, location: string, status = 302, host = '10.0.0.1'): Progress =>
    feed(options, [moved(status, location)], 'silence', host);
  const nextRequest = (options: Options, location: string) => {
    const hop = redirected(options, Buffer.from(location, 'utf8').toString('latin1'));
    if (!(hop instanceof Hop)) throw new Error(`${location} is not followed`);
    return { tls: hop.tls, port: hop.port, head: plan(options).request(hop).head.toString() };
  };

  it('each redirect status is followed', () => {
    for (const status of [301, 302, 303, 307, 308]) {
      expect(redirected({}, '/x', status), `${status}`).toBeInstanceOf(Hop);
    }
    for (const status of [300, 304, 305, 306, 399]) {
      expect(redirected({}, '/x', status), `${status}`).toMatchObject({ outcome: OK, warnings: [] });
    }
  });

  it.each([
    ['/x?y=1#part', false, 8080, '/x?y=1'],
    ['c', false, 8080, '/a/c'],
    ['../../c', false, 8080, '/c'],
    ['./c/.', false, 8080, '/a/c/'],
    ['?new=2', false, 8080, '/a/b?new=2'],
    ['#part', false, 8080, '/a/b?old=1'],
    ['//10.0.0.1/z', false, 80, '/z'],
    ['http://10.0.0.1:81', false, 81, '/'],
    ['HTTP://user:secret@10.0.0.1:81/x', false, 81, '/x'],
    ['https://10.0.0.1/x', true, 443, '/x'],
    ['https://10.0.0.1:8443?q', true, 8443, '/?q'],
    ['http://10.0.0.1:/x', false, 80, '/x'],
    ['/with space/ä?a[]=1', false, 8080, '/with%20space/%C3%A4?a%5B%5D=1'],
  ])('%s is resolved', (location, tls, port, target) => {
    const next = nextRequest({ path: '/a/b?old=1' }, location);
    expect([next.tls, next.port]).toEqual([tls, port]);
    expect(next.head.split('\r\n')[0]).toBe(`GET ${target} HTTP/1.1`);
  });

  it('any path can be a base', () => {
    expect(nextRequest({ path: '/100%/a[]=1' }, '?q').head).toMatch(/^GET \/100%25\/a%5B%5D=1\?q /);
  });

  it.each([
    ['app.example', 'http://APP.example/x', true],
    ['::1', 'http://[0:0:0:0:0:0:0:1]/x', true],
    ['::1', 'http://[::2]/x', false],
    ['app.example', 'http://app.example.evil.example/x', false],
    ['app.example', 'http://app.example@evil.example/x', false],
    ['app.example', 'mailto:someone', false],
    ['app.example', 'http:///x', false],
  ])('from %s to %s', (host, location, isFollowed) => {
    const progress = redirected({}, location, 302, host);
    if (isFollowed) expect(progress).toBeInstanceOf(Hop);
    else expect(progress).toMatchObject({ outcome: OK, warnings: ['redirect-not-followed'] });
  });

  it.each([
    'http://[::1',
    'http://10.0.0.1:99999/',
    'http://10.0.0.1:0/',
    'http://10.0.0.1:x/',
    'ftp://10.0.0.1/',
  ])('to %s is a bad header', (location) => {
    expect(redirected({}, location)).toMatchObject({ outcome: failed('bad-header') });
  });

  it.each(['1:2', ':x', 'a b:c'])('to %s, whose first segment has a colon, is a bad header', (location) => {
    expect(redirected({}, location)).toMatchObject({ outcome: failed('bad-header') });
  });

  it('a missing location is a warning', () => {
    for (const head of ['HTTP/1.1 302 x\r\n', 'HTTP/1.1 302 x\r\nLocation: \r\n']) {
      expect(answer(`${head}Content-Length: 0\r\n\r\n`, 'silence')).toMatchObject({
        outcome: OK,
        warnings: ['redirect-without-location'],
      });
    }
  });

  it('one that is not followed is judged as the answer', () => {
    const strict = { expect: { status: [[200, 200]] } } as const;
    expect(redirected(strict, 'http://other.example/')).toMatchObject({
      outcome: failed('bad-status'),
      warnings: ['redirect-not-followed'],
    });
    const wanted = { expect: { status: [[301, 302]] } } as const;
    expect(redirected(wanted, '/login')).toMatchObject({
      outcome: OK,
      warnings: [],
      measured: { status: 302 },
    });
    expect(redirected(wanted, '/login', 307)).toMatchObject({ outcome: failed('bad-status') });
  });

  it('the Host header holds for relative redirects only', () => {
    const named = { headers: [['Host', 'app.example']] } as const;
    expect(nextRequest(named, '/x').head).toContain('\r\nHost: app.example\r\n');
    expect(nextRequest(named, 'http://10.0.0.1:81/x').head).toContain('\r\nHost: 10.0.0.1:81\r\n');
  });

  it('a POST is followed as a GET without its body', () => {
    const post = { method: 'POST', body: 'data' };
    expect(nextRequest(post, '/x').head).toMatch(/^GET \/x /);
    expect(nextRequest(post, '/x').head).not.toContain('Content-Length');
  });

  it('a loop ends after ten redirects, with a transcript over all hops', () => {
    const of = plan();
    const transcript = new Transcript();
    let progress: Progress = Hop.first(of, '10.0.0.1');
    let requests = 0;
    while (progress instanceof Hop) {
      const exchange: HttpExchange = new HttpExchange(of, progress, transcript);
      exchange.request();
      requests += 1;
      progress = exchange.onBytes(moved(302, '/again'));
    }
    expect(requests).toBe(11);
    expect(progress).toMatchObject({ outcome: failed('protocol-error'), measured: { redirects: 10 } });
    expect(progress?.transcript?.match(/> GET /g)).toHaveLength(11);
    expect(progress?.transcript?.match(/\* redirect /g)).toHaveLength(10);
  });
});

describe('the end', () => {
  it('an abort says how far it got', () => {
    const of = plan();
    const exchange = new HttpExchange(of, Hop.first(of, '10.0.0.1'), undefined);
    exchange.onBytes(Buffer.from(ok('Content-Length: 10\r\n\r\nhalf')));
    expect(exchange.onAbort('connection-reset')).toMatchObject({
      outcome: failed('connection-reset'),
      measured: { status: 200 },
      message: 'connection-reset 4 bytes into the body, 6 short',
    });
  });

  it.each([
    [{ keepAlive: true }, ok('Content-Length: 2\r\n\r\nok'), true],
    [{ keepAlive: true }, 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n', true],
    [{}, ok('Content-Length: 2\r\n\r\nok'), false],
    [{ keepAlive: true }, ok('Content-Length: 2\r\nConnection: x, Close\r\n\r\nok'), false],
    [{ keepAlive: true }, ok('Content-Length: 2\r\n\r\nok+'), false],
    [{ keepAlive: true }, ok(`Content-Length: 99999\r\n\r\n${'x'.repeat(10_240)}`), false],
    [{ keepAlive: true }, ok('\r\nok'), false],
    [{ keepAlive: true }, 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
  ])('reuse needs a clean end and the consent of the peer: %j %j', (options, response, reusable) => {
    const whole = feed(options, [Buffer.from(response)], 'eof');
    expect(whole).toMatchObject({ outcome: OK, reusable });
  });

  it('the transcript shows both sides, escaped', () => {
    const of = plan();
    const exchange = new HttpExchange(of, Hop.first(of, '::1'), new Transcript());
    exchange.request();
    const result = exchange.onBytes(Buffer.from(ok('Content-Length: 3\r\n\r\n\x1b[m')));
    expect(isResult(result) ? result.transcript : '').toBe(
      [
        '> GET /healthz HTTP/1.1',
        '> Host: [::1]:8080',
        '> User-Agent: vmpulse/test',
        '> Accept: */*',
        '> Connection: close',
        '< HTTP/1.1 200 OK',
        '< Content-Length: 3',
        '< \\x1b[m',
        '',
      ].join('\n'),
    );
  });
});
