import type { Socket } from 'node:net';
import type { Outcome } from '../../src/model/outcome.js';
import type { ExchangeScript, ExchangeStep } from '../../src/model/probe.js';
import { failed, OK } from './http-zoo-verdict.js';

/** One server that holds, or breaks off, a conversation in one way, and what a script must say of it. */
export interface ExchangeCase {
  readonly name: string;
  readonly script: ExchangeScript;
  /** Trusted with `verify`. */
  readonly caPem?: string;
  readonly expected: Outcome;
  /** True when only a deadline ends the probe: keep the timeout short. */
  readonly waits?: boolean;
  /** True for what only TCP can do: a reset. */
  readonly tcpOnly?: boolean;
  readonly serve: (socket: Socket) => void;
}

const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');
export const send = (text: string): ExchangeStep => ({ send: hex(text) });
export const wait = (text: string): ExchangeStep => ({ expect: hex(text) });
export const match = (pattern: string): ExchangeStep => ({ expectRegex: pattern });

/** Calls back with each line; what follows the last one stays for the next. */
export function onLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.trimEnd());
  });
}

/** Reads nothing of interest, so that a close stays a close. */
function deaf(socket: Socket): Socket {
  return socket.resume();
}

/** Writes byte by byte, as fast as they are taken. */
function spell(socket: Socket, text: string, then: () => void = () => {}): void {
  const next = (at: number): void => {
    if (socket.destroyed) return;
    if (at === text.length) then();
    else socket.write(text.charAt(at), 'latin1', () => setImmediate(next, at + 1));
  };
  next(0);
}

function drip(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 10);
  socket.on('close', () => clearInterval(timer));
}

const PING: ExchangeScript = { steps: [send('PING\r\n'), wait('+PONG')] };
const BANNER: ExchangeScript = { steps: [wait('SSH-2.0-')] };
const STRICT: ExchangeScript = { steps: [match('^SSH-2\\.0-[^\\n]*\\n')] };
const SMTP: ExchangeScript = {
  steps: [
    match('^220[^\\n]*\\n'),
    send('EHLO a\r\n'),
    match('(^|\\n)250 [^\\n]*\\n'),
    send('QUIT\r\n'),
    wait('221'),
  ],
};

const smtp = (ehlo: string, quit: string) => (socket: Socket) => {
  socket.write('220 mx\r\n');
  onLines(socket, (line) => socket.write(line === 'QUIT' ? quit : ehlo, 'latin1'));
};

const ANSWERS: readonly ExchangeCase[] = [
  {
    name: 'an answer',
    script: PING,
    expected: OK,
    serve: (socket) => onLines(socket, () => socket.write('+PONG\r\n')),
  },
  { name: 'a dialogue', script: SMTP, expected: OK, serve: smtp('250-mx\r\n250 HELP\r\n', '221 bye\r\n') },
  {
    name: 'a dialogue, byte by byte',
    script: SMTP,
    expected: OK,
    serve: (socket) => {
      spell(deaf(socket), '220 mx\r\n250-mx\r\n250 HELP\r\n221 bye\r\n');
    },
  },
  {
    name: 'all answers at once, before they are asked for',
    script: SMTP,
    expected: OK,
    serve: (socket) => deaf(socket).write('220 mx\r\n250 HELP\r\n221 bye\r\n'),
  },
  {
    name: 'more than is asked for, then the end',
    script: PING,
    expected: OK,
    serve: (socket) => onLines(socket, () => socket.end('x+PO+PONG\r\nmore')),
  },
  {
    name: 'any bytes',
    script: { steps: [{ send: '00ff' }, { expect: 'ff00fe' }, match('\\x00[^\\x00]\\xff')] },
    expected: OK,
    serve: (socket) => socket.once('data', () => socket.write('\u00ff\u0000\u00fe\u0000a\u00ff', 'latin1')),
  },
  {
    name: 'an expression that ends where it is',
    script: { steps: [match('^a+$'), match('\\bok\\b')] },
    expected: OK,
    serve: (socket) => socket.write('axok ok'),
  },
  {
    name: 'a condition on the byte behind',
    script: { steps: [match('a\\B'), wait('b')] },
    expected: OK,
    serve: (socket) => socket.write('ab'),
  },
];

const REFUSALS: readonly ExchangeCase[] = [
  { name: 'silence', script: BANNER, expected: failed('response-timeout'), waits: true, serve: deaf },
  {
    name: 'silence to the second question',
    script: SMTP,
    expected: failed('response-timeout'),
    waits: true,
    serve: (socket) => deaf(socket).write('220 mx\r\n'),
  },
  {
    name: 'half an answer, then silence',
    script: BANNER,
    expected: failed('bad-body'),
    waits: true,
    serve: (socket) => deaf(socket).write('SSH-2'),
  },
  {
    name: 'a drip that never says it',
    script: BANNER,
    expected: failed('bad-body'),
    waits: true,
    serve: (socket) => drip(deaf(socket), 'S'),
  },
  {
    name: 'another answer',
    script: STRICT,
    expected: failed('bad-body'),
    serve: (socket) => deaf(socket).write('220 mx\r\n'),
  },
  {
    name: 'another answer, byte by byte',
    script: STRICT,
    expected: failed('bad-body'),
    serve: (socket) => spell(deaf(socket), 'SSH-1.5-x\r\n'),
  },
  {
    name: 'another answer to the second question',
    script: { steps: [match('^220[^\\n]*\\n'), send('EHLO a\r\n'), match('^250')] },
    expected: failed('bad-body'),
    serve: smtp('554 no\r\n', ''),
  },
  {
    name: 'the end at once',
    script: BANNER,
    expected: failed('connection-closed'),
    serve: (socket) => deaf(socket).end(),
  },
  {
    name: 'half an answer, then the end',
    script: BANNER,
    expected: failed('bad-body'),
    serve: (socket) => deaf(socket).end('SSH-2'),
  },
  {
    name: 'the end after the second question',
    script: SMTP,
    expected: failed('connection-closed'),
    serve: (socket) => {
      socket.write('220 mx\r\n');
      onLines(socket, () => socket.end());
    },
  },
  {
    name: 'a reset at once',
    script: BANNER,
    expected: failed('connection-reset'),
    tcpOnly: true,
    serve: (socket) => socket.resetAndDestroy(),
  },
  {
    name: 'a reset after the question',
    script: PING,
    expected: failed('connection-reset'),
    tcpOnly: true,
    serve: (socket) => onLines(socket, () => socket.resetAndDestroy()),
  },
  {
    name: 'half an answer, then a reset',
    script: PING,
    expected: failed('connection-reset'),
    tcpOnly: true,
    serve: (socket) => onLines(socket, () => socket.write('+PO', () => socket.resetAndDestroy())),
  },
  {
    name: 'a flood',
    script: BANNER,
    expected: failed('response-too-large'),
    serve: (socket) => deaf(socket).write('x'.repeat(4 * 1024 * 1024)),
  },
  {
    name: 'a flood that expressions are slow on elsewhere',
    script: { steps: [match('(a*)*b')], maxBytes: 1_048_576 },
    expected: failed('response-too-large'),
    serve: (socket) => deaf(socket).write('a'.repeat(2 * 1024 * 1024)),
  },
  {
    name: 'an answer up to the bound',
    script: { ...BANNER, maxBytes: 10 },
    expected: OK,
    serve: (socket) => deaf(socket).write('xxSSH-2.0-'),
  },
  {
    name: 'an answer beyond the bound',
    script: { ...BANNER, maxBytes: 9 },
    expected: failed('response-too-large'),
    serve: (socket) => spell(deaf(socket), 'xxSSH-2.0-'),
  },
];

/** Conversations in the clear. */
export const PLAIN_EXCHANGES: readonly ExchangeCase[] = [...ANSWERS, ...REFUSALS];
