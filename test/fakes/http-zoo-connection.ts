import type { ZooCase } from './http-zoo.js';
import {
  afterRequest,
  drips,
  refuses,
  says,
  saysAndResets,
  saysAndStays,
  spells,
  tcp,
} from './http-zoo-server.js';
import { failed, OK } from './http-zoo-verdict.js';

const LENGTH_2 = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
const LENGTH_100 = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';
const NO_LENGTH = 'HTTP/1.1 200 OK\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

const RESETS: readonly ZooCase[] = [
  { name: 'refuse', expected: failed('connection-refused'), start: refuses },
  {
    name: 'reset on accept',
    expected: failed('connection-reset'),
    start: () => tcp((socket) => socket.resetAndDestroy()),
  },
  {
    name: 'reset after the request',
    expected: failed('connection-reset'),
    start: () => tcp((socket) => afterRequest(socket, () => socket.resetAndDestroy())),
  },
  {
    name: 'reset within the head',
    expected: failed('connection-reset'),
    start: saysAndResets('HTTP/1.1 200 OK\r\nContent-'),
  },
  { name: 'reset after the head', expected: failed('connection-reset'), start: saysAndResets(LENGTH_100) },
  {
    name: 'reset within the body',
    expected: failed('connection-reset'),
    start: saysAndResets(`${LENGTH_100}half`),
  },
  {
    name: 'reset instead of the end of a body without length',
    expected: failed('connection-reset'),
    start: saysAndResets(`${NO_LENGTH}half`),
  },
  { name: 'reset after the response', expected: OK, start: saysAndResets(`${LENGTH_2}ok`) },
];

const CLOSES: readonly ZooCase[] = [
  {
    name: 'close on accept',
    expected: failed('connection-closed'),
    start: () => tcp((socket) => socket.resume().end()),
  },
  { name: 'close after the request', expected: failed('connection-closed'), start: says('') },
  { name: 'close within the status line', expected: failed('connection-closed'), start: says('HTTP/1.') },
  {
    name: 'close within the head',
    expected: failed('connection-closed'),
    start: says('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'),
  },
  { name: 'close before the body', expected: failed('connection-closed'), start: says(LENGTH_100) },
  { name: 'close within the body', expected: failed('connection-closed'), start: says(`${LENGTH_100}half`) },
  {
    name: 'close within a chunk',
    expected: failed('connection-closed'),
    start: says(`${CHUNKED}64\r\nhalf`),
  },
  {
    name: 'close before the last chunk',
    expected: failed('connection-closed'),
    start: says(`${CHUNKED}4\r\nfour\r\n`),
  },
  {
    name: 'keep-alive liar: promises to stay, then closes',
    expected: OK,
    start: says(
      'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\nContent-Length: 2\r\n\r\nok',
    ),
  },
  {
    name: 'close liar: promises to close, then stays',
    expected: OK,
    start: saysAndStays('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
  },
];

const SILENCES: readonly ZooCase[] = [
  {
    name: 'silent',
    expected: failed('response-timeout'),
    waits: true,
    start: () => tcp((socket) => socket.resume()),
  },
  {
    name: 'half a head, then silent',
    expected: failed('response-timeout'),
    waits: true,
    start: saysAndStays('HTTP/1.1 200 OK\r\nContent-Le'),
  },
  {
    name: 'a head, then silent',
    expected: failed('response-timeout'),
    waits: true,
    start: saysAndStays(LENGTH_100),
  },
  {
    name: 'a body without length that never ends',
    expected: failed('response-timeout'),
    waits: true,
    start: saysAndStays(`${NO_LENGTH}ok`),
  },
  {
    name: 'slow drip of the head',
    expected: failed('response-timeout'),
    waits: true,
    start: drips('HTTP/1.1 200 OK\r\nX-Drip: .'),
  },
  {
    name: 'slow drip of the body',
    expected: failed('response-timeout'),
    waits: true,
    start: drips(`${NO_LENGTH}.`, 2),
  },
  { name: 'a byte a segment', expected: OK, start: spells(`${CHUNKED}2\r\nok\r\n0\r\n\r\n`) },
];

/** What happens to the connection. */
export const CONNECTION_CASES: readonly ZooCase[] = [...RESETS, ...CLOSES, ...SILENCES];
