import type { ZooCase } from './http-zoo.js';
import { answers, pair, refuses, says, saysAndStays } from './http-zoo-server.js';
import { failed, OK } from './http-zoo-verdict.js';

function response(status: string, body = '', headers = ''): string {
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function redirect(location: string, status = '302 Found'): string {
  return response(status, '', `Location: ${location}\r\n`);
}

/** ok if the request head is as wanted, 418 if not. */
function wants(check: (head: string) => boolean): ZooCase['start'] {
  return answers((head) => response(check(head) ? '200 OK' : "418 I'm a teapot"));
}

const REQUESTS: readonly ZooCase[] = [
  {
    name: 'the default request',
    expected: OK,
    start: answers((head, port) => {
      const lines = head.split('\r\n');
      const sent = ['GET /healthz HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Accept: */*', 'Connection: close'];
      const whole = sent.every((line) => lines.includes(line)) && /\r\nUser-Agent: vmpulse\/\d/.test(head);
      return response(whole && !/encoding/i.test(head) ? '200 OK' : "418 I'm a teapot");
    }),
  },
  {
    name: 'headers replaced, removed and added',
    http: {
      headers: [
        ['user-agent', 'me'],
        ['Accept', ''],
        ['X-Empty', ''],
        ['Host', 'zoo.test'],
      ],
    },
    expected: OK,
    start: wants(
      (head) =>
        /\r\nuser-agent: me\r\n/.test(head) &&
        !/\r\naccept:/i.test(head) &&
        !/vmpulse/.test(head) &&
        /\r\nX-Empty: ?\r\n/.test(head) &&
        (head.match(/\r\nhost: .*/gi) ?? []).join() === '\r\nHost: zoo.test',
    ),
  },
  {
    name: 'a POST with a body',
    http: { method: 'POST', body: '{"a":1}' },
    expected: OK,
    start: wants((head) => head.startsWith('POST /healthz ') && /\r\ncontent-length: 7\r\n/i.test(head)),
  },
  {
    name: 'a path that needs encoding',
    http: { path: '/a b?q=1#part' },
    expected: OK,
    start: wants((head) => head.startsWith('GET /a%20b?q=1 HTTP/1.1\r\n')),
  },
];

const STATUSES: readonly ZooCase[] = [
  { name: 'status 399', expected: OK, start: says(response('399 Odd')) },
  { name: 'status 304', expected: OK, start: saysAndStays('HTTP/1.1 304 Not Modified\r\n\r\n') },
  { name: 'status 400', expected: failed('bad-status'), start: says(response('400 Bad Request')) },
  {
    name: 'status 503, and the body never ends',
    expected: failed('bad-status'),
    start: saysAndStays('HTTP/1.1 503 Unavailable\r\n\r\ndown'),
  },
  {
    name: 'another status than the user expects',
    http: { expect: { status: [[204, 204]] } },
    expected: failed('bad-status'),
    start: says(response('200 OK')),
  },
  {
    name: 'the status that the user expects',
    http: {
      expect: {
        status: [
          [200, 200],
          [401, 403],
        ],
      },
    },
    expected: OK,
    start: says(response('401 Unauthorized')),
  },
  {
    name: 'the body that the user expects',
    http: { expect: { bodyContains: 'UP', bodyRegex: '"status":\\s*"(UP|OK)"' } },
    expected: OK,
    start: says(response('200 OK', '{"status": "UP"}')),
  },
  {
    name: 'another body than the user expects',
    http: { expect: { bodyContains: 'UP' } },
    expected: failed('bad-body'),
    start: says(response('200 OK', '{"status": "DOWN"}')),
  },
  {
    name: 'a body that does not match',
    http: { expect: { bodyRegex: '^up$' } },
    expected: failed('bad-body'),
    start: says(response('200 OK', 'up and down')),
  },
  {
    name: 'a body that matches beyond what is read',
    http: { expect: { bodyContains: 'needle' } },
    expected: failed('bad-body'),
    start: says(response('200 OK', `${'x'.repeat(10 * 1024)}needle`)),
  },
  {
    name: 'the header that the user expects',
    http: {
      expect: {
        headers: [
          ['x-role', 'primary'],
          ['X-Any', ''],
        ],
      },
    },
    expected: OK,
    start: says(response('200 OK', '', 'X-Role: primary\r\nX-Any: 1\r\n')),
  },
  {
    name: 'another header than the user expects',
    http: { expect: { headers: [['X-Role', 'primary']] } },
    expected: failed('bad-header'),
    start: says(response('200 OK', '', 'X-Role: replica\r\n')),
  },
  {
    name: 'no such header as the user expects',
    http: { expect: { headers: [['X-Role', '']] } },
    expected: failed('bad-header'),
    start: says(response('200 OK')),
  },
];

/** Redirects `hops` times, counting down in the path, then answers. */
function chain(hops: number): ZooCase['start'] {
  return answers((head) => {
    const left = Number(/^GET \/left\/(\d+) /.exec(head)?.[1] ?? hops);
    return left === 0 ? response('200 OK') : redirect(`/left/${left - 1}`);
  });
}

const REDIRECTS: readonly ZooCase[] = [
  ...['301 Moved', '302 Found', '303 See Other', '307 Temporary', '308 Permanent'].map(
    (status): ZooCase => ({
      name: `a relative redirect ${status}`,
      expected: OK,
      http: { expect: { status: [[200, 200]] } },
      start: answers((head) =>
        head.startsWith('GET /new?a=1 ') ? response('200 OK') : redirect('new?a=1#x', status),
      ),
    }),
  ),
  {
    name: 'a redirect to a failing page',
    expected: failed('bad-status'),
    start: answers((head) => (head.startsWith('GET /new ') ? response('500 Oops') : redirect('/new'))),
  },
  {
    name: 'a redirect to another port',
    expected: OK,
    http: { expect: { status: [[200, 200]] } },
    start: () => pair((port) => says(redirect(`http://127.0.0.1:${port}/`))(), says(response('200 OK'))),
  },
  {
    name: 'a redirect to a port that refuses',
    expected: failed('connection-refused'),
    start: () => pair((port) => says(redirect(`http://127.0.0.1:${port}/`))(), refuses),
  },
  { name: 'ten redirects', expected: OK, http: { expect: { status: [[200, 200]] } }, start: chain(10) },
  { name: 'eleven redirects', expected: failed('protocol-error'), start: chain(11) },
  { name: 'a redirect loop', expected: failed('protocol-error'), start: says(redirect('/healthz')) },
  {
    name: 'a redirect to another host',
    expected: OK,
    warnings: ['redirect-not-followed'],
    start: says(redirect('http://other.test/')),
  },
  {
    name: 'a redirect to another host where 200 is expected',
    http: { expect: { status: [[200, 200]] } },
    expected: failed('bad-status'),
    warnings: ['redirect-not-followed'],
    start: says(redirect('http://other.test/')),
  },
  {
    name: 'a redirect without a location',
    expected: OK,
    warnings: ['redirect-without-location'],
    start: says(response('302 Found')),
  },
  {
    name: 'a redirect to a bad port',
    expected: failed('bad-header'),
    start: says(redirect('http://127.0.0.1:99999/')),
  },
  {
    name: 'a redirect to another scheme',
    expected: failed('bad-header'),
    start: says(redirect('ftp://127.0.0.1/')),
  },
  {
    name: 'a redirect that is the expected answer',
    http: { expect: { status: [[302, 302]] } },
    expected: OK,
    start: says(redirect('/login')),
  },
];

/** What is asked, what is answered, and where the answer leads. */
export const JUDGING_CASES: readonly ZooCase[] = [...REQUESTS, ...STATUSES, ...REDIRECTS];
