import { createServer, type IncomingMessage } from 'node:http';
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';
import snappy from 'snappyjs';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly path: string;
  readonly series: readonly Series[];
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly atMs: number;
}

export interface Sink {
  readonly url: string;
  readonly received: readonly Received[];
  /** How the next requests are answered; 204 once it is empty. 0: not at all. */
  readonly answers: number[];
}

/** A server that takes remote write on loopback, decodes it, and keeps what it got. */
export async function startSink(): Promise<Sink> {
  const received: Received[] = [];
  const answers: number[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { headers, url: path = '' } = request;
    received.push({ headers, path, series: decode(Buffer.concat(chunks)) });
    const status = answers.shift() ?? 204;
    if (status !== 0) response.writeHead(status).end(status === 204 ? undefined : 'no\u001b thanks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, received, answers };
}

function decode(body: Buffer): Series[] {
  return fields(snappy.uncompress(body)).map(([, series]) => decodeSeries(series));
}

function decodeSeries(bytes: Uint8Array): Series {
  const labels: Record<string, string> = {};
  let [value, atMs] = [Number.NaN, 0];
  for (const [field, part] of fields(bytes)) {
    if (field === 1) {
      const [name = '', text = ''] = fields(part).map(([, word]) => Buffer.from(word).toString());
      labels[name] = text;
      continue;
    }
    const reader = new BinaryReader(part);
    while (reader.pos < reader.len) {
      const [number] = reader.tag();
      if (number === 1) value = reader.double();
      else atMs = Number(reader.int64());
    }
  }
  return { labels, value, atMs };
}

/** The members of a message that has only texts and messages. */
function fields(bytes: Uint8Array): [number, Uint8Array][] {
  const reader = new BinaryReader(bytes);
  const found: [number, Uint8Array][] = [];
  while (reader.pos < reader.len) {
    const [number, type]: [number, WireType] = reader.tag();
    if (type !== 2) throw new Error(`wire type ${type} of field ${number}`);
    found.push([number, reader.bytes()]);
  }
  return found;
}
