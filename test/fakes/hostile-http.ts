import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What comes of a request that gets such an answer: taken, refused, or neither. */
type Meaning = 'taken' | 'refused' | 'broken';

export interface Hostile {
  readonly name: string;
  readonly means: Meaning;
  readonly answer: (socket: Socket) => void;
}

const text =
  (bytes: string): Hostile['answer'] =>
  (socket) =>
    socket.end(Buffer.from(bytes, 'latin1'));

/** Again and again, for as long as anybody is there. */
const endless =
  (head: string, part: string): Hostile['answer'] =>
  (socket) => {
    socket.write(head);
    const timer = setInterval(() => socket.write(part), 1);
    socket.once('close', () => clearInterval(timer));
  };

const reset =
  (head: string): Hostile['answer'] =>
  (socket) => {
    socket.write(head, () => socket.resetAndDestroy());
  };

const OK = 'HTTP/1.1 200 OK\r\n';
const HELLO = 'Content-Length: 5\r\n\r\nhello';

/** About as much as a stream takes before it wants its reader to go on: a client may stand still just there. */
const FULL = [65_535, 65_536, 70_000, 200_000].flatMap((bytes): Hostile[] =>
  ['HTTP/1.0 200 OK\r\n', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n', OK].map((head) => ({
    name: `${bytes} bytes behind ${JSON.stringify(head)}, and the end`,
    means: 'taken',
    answer: text(`${head}\r\n${'a'.repeat(bytes)}`),
  })),
);

/** Answers that no proper server gives. */
export const HOSTILE_ANSWERS: readonly Hostile[] = [
  { name: 'HTTP/1.0', means: 'taken', answer: text('HTTP/1.0 200 OK\r\n\r\nhello') },
  {
    name: 'HTTP/1.0 that keeps the connection without a length',
    means: 'taken',
    answer: text('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello'),
  },
  {
    name: 'HTTP/1.0 that keeps the connection',
    means: 'taken',
    answer: (socket) => socket.write(`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${HELLO}`),
  },
  {
    name: 'HTTP/1.0 in chunks',
    means: 'taken',
    answer: text('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  },
  { name: 'a body without an end', means: 'taken', answer: text(`${OK}\r\nhello`) },
  { name: 'half a body', means: 'taken', answer: text(`${OK}Content-Length: 100\r\n\r\nhello`) },
  {
    name: 'half a chunk',
    means: 'taken',
    answer: text(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`),
  },
  { name: 'two answers', means: 'taken', answer: text(`${OK}${HELLO}${OK}${HELLO}`) },
  { name: 'something behind the answer', means: 'taken', answer: text(`${OK}${HELLO} garbage`) },
  { name: 'a body that never ends', means: 'taken', answer: endless(`${OK}\r\n`, 'a'.repeat(65_536)) },
  {
    name: 'a refusal that never ends',
    means: 'refused',
    answer: endless('HTTP/1.1 400 No\r\n\r\n', 'a'.repeat(65_536)),
  },
  {
    name: 'half a refusal',
    means: 'refused',
    answer: text('HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\nno'),
  },
  { name: 'headers that never end', means: 'broken', answer: endless(OK, `X: ${'a'.repeat(1_000)}\r\n`) },
  {
    name: 'informational answers that never end',
    means: 'broken',
    answer: endless('', 'HTTP/1.1 100 Go\r\n\r\n'),
  },
  {
    name: 'an upgrade',
    means: 'broken',
    answer: text('HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  },
  { name: 'garbage', means: 'broken', answer: text('\0\x01\xff\xfe\n\r\n\r\n') },
  { name: 'half a status line', means: 'broken', answer: text('HTTP/1.1 200') },
  { name: 'two lengths', means: 'broken', answer: text(`${OK}Content-Length: 6\r\n${HELLO}`) },
  { name: 'nothing', means: 'broken', answer: text('') },
  { name: 'a reset', means: 'broken', answer: reset('') },
  { name: 'a reset after half the headers', means: 'broken', answer: reset(OK) },
  ...FULL,
];

/** Serves one answer to everybody, on loopback; resolves with its URL. */
export async function serveHostile({ answer }: Hostile): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // The other side goes away when it likes.
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}
