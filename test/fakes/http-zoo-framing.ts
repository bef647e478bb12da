import type { ZooCase } from './http-zoo.js';
import { floods, says, saysAndStays } from './http-zoo-server.js';
import { failed, OK } from './http-zoo-verdict.js';

const STATUS = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${STATUS}Transfer-Encoding: chunked\r\n\r\n`;
const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
const OK_2 = `${STATUS}Content-Length: 2\r\n\r\nok`;

/** Servers that answer with these bytes and stay open: the bytes alone must decide. */
function decided(expected: ZooCase['expected'], texts: Readonly<Record<string, string>>): ZooCase[] {
  return Object.entries(texts).map(([name, text]) => ({ name, expected, start: saysAndStays(text) }));
}

const ACCEPTED = decided(OK, {
  length: OK_2,
  'no body by its status': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  'chunks with extensions and trailers': `${CHUNKED}1;a="b"\r\no\r\n01 \r\nk\r\n0\r\nX-Sum: 1\r\n\r\n`,
  'chunks and a length': `${STATUS}Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'the same length twice': `${STATUS}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
  'bare line feeds': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'a folded header': `${STATUS}X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok`,
  'no reason phrase': 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.0 with a length': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'an interim response': `${EARLY_HINTS}${OK_2}`,
  'pipelined garbage': `${OK_2}HTTP/1.1 500 Oops\r\n\r\n\u0000\u00ff`,
});

const NOT_HTTP = decided(failed('protocol-error'), {
  'HTTP/0.9': '<html>hello</html>',
  'HTTP/2': '\u0000\u0000\u0012\u0004\u0000\u0000\u0000\u0000\u0000',
  'TLS alert to a plain request': '\u0015\u0003\u0001\u0000\u0002\u0002\u0046',
  'SSH banner': 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n',
  'binary noise': '\u0000\u0001\u0002\u00fe\u00ff',
  'a status that is no number': 'HTTP/1.1 fine\r\n\r\n',
  'a header without a colon': `${STATUS}nonsense\r\n\r\n`,
  'a blank before the colon': `${STATUS}Content-Length : 2\r\n\r\nok`,
  'switching protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  'six interim responses': `${EARLY_HINTS.repeat(6)}${OK_2}`,
  'conflicting lengths': `${STATUS}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`,
  'a negative length': `${STATUS}Content-Length: -1\r\n\r\n`,
  'a length that overflows': `${STATUS}Content-Length: 18446744073709551617\r\n\r\nok`,
  'an empty length': `${STATUS}Content-Length:\r\n\r\n`,
  'an unknown transfer encoding': `${STATUS}Transfer-Encoding: gzip\r\n\r\n`,
  'a chunk without a size': `${CHUNKED}\r\nok\r\n`,
  'a bad chunk size': `${CHUNKED}two\r\nok\r\n0\r\n\r\n`,
  'a chunk size that overflows': `${CHUNKED}fffffffffffffffff\r\nok\r\n`,
  'a chunk longer than its size': `${CHUNKED}2\r\nokay\r\n0\r\n\r\n`,
  'chunk lines that end in bare line feeds': `${CHUNKED}2\nok\n0\n\n`,
});

const KIB = 1024;
const FLOODS: readonly ZooCase[] = [
  {
    name: 'headers without end',
    expected: failed('response-too-large'),
    start: floods(STATUS, 'X-Flood: 0123456789\r\n'.repeat(500)),
  },
  {
    name: 'one header without end',
    expected: failed('response-too-large'),
    start: floods(`${STATUS}X-Flood: `, 'x'.repeat(64 * KIB)),
  },
  {
    name: '129 headers',
    expected: failed('response-too-large'),
    start: saysAndStays(`${STATUS}${'X-Many: 1\r\n'.repeat(129)}\r\n`),
  },
  {
    name: 'a chunk extension without end',
    expected: failed('response-too-large'),
    start: floods(`${CHUNKED}1;`, 'x'.repeat(64 * KIB)),
  },
  {
    name: 'trailers without end',
    expected: failed('response-too-large'),
    start: floods(`${CHUNKED}0\r\n`, 'X-Trailer: 0123456789\r\n'.repeat(500)),
  },
  {
    name: 'a body of 100 MB',
    expected: OK,
    start: floods(`${STATUS}Content-Length: 104857600\r\n\r\n`, 'x'.repeat(64 * KIB), 1600),
  },
  { name: 'a body without end', expected: OK, start: floods(`${STATUS}\r\n`, 'x'.repeat(64 * KIB)) },
  {
    name: 'a body without end, over the limit of the user',
    http: { maxBodyBytes: 1000 },
    expected: failed('response-too-large'),
    start: floods(`${STATUS}\r\n`, 'x'.repeat(64 * KIB)),
  },
  {
    name: 'a body announced over the limit of the user',
    http: { maxBodyBytes: 1000 },
    expected: failed('response-too-large'),
    start: saysAndStays(`${STATUS}Content-Length: 1001\r\n\r\n`),
  },
  {
    name: 'a body within the limit of the user',
    http: { maxBodyBytes: 1000 },
    expected: OK,
    start: says(`${STATUS}\r\n${'x'.repeat(1000)}`),
  },
  {
    name: 'a bad chunk beyond what is read',
    expected: OK,
    start: saysAndStays(`${CHUNKED}2800\r\n${'x'.repeat(10 * KIB)}\r\nnonsense`),
  },
];

/** Where a response and its parts end. */
export const FRAMING_CASES: readonly ZooCase[] = [
  ...ACCEPTED,
  { name: 'a body that ends with the connection', expected: OK, start: says(`${STATUS}\r\nok`) },
  { name: 'HTTP/1.0 until the end', expected: OK, start: says('HTTP/1.0 200 OK\r\n\r\nok') },
  {
    name: 'HEAD with the length of a GET',
    http: { method: 'HEAD' },
    expected: OK,
    start: saysAndStays(`${STATUS}Content-Length: 5000\r\n\r\n`),
  },
  ...NOT_HTTP,
  ...FLOODS,
];
