import { createSocket } from 'node:dgram';
import { onTestFinished } from 'vitest';

/** What the server has for a name; without an entry there is no such name. */
export interface DnsRecords {
  readonly a?: string;
  /** All eight groups written out. */
  readonly aaaa?: string;
  readonly ttlSeconds?: number;
  /** Answer with this code (2: SERVFAIL) instead. */
  readonly code?: number;
}

const TYPE_A = 1;
const TYPE_AAAA = 28;
const NXDOMAIN = 3;

/** A name server on loopback, made by the test. */
export class DnsServer {
  readonly records = new Map<string, DnsRecords>();
  /** `name type`, in the order they came. */
  readonly asked: string[] = [];
  /** While set, nothing is answered. */
  silent = false;
  #port = 0;

  static async start(records: Readonly<Record<string, DnsRecords>> = {}): Promise<DnsServer> {
    const server = new DnsServer();
    for (const [name, record] of Object.entries(records)) server.records.set(name, record);
    const socket = createSocket('udp4');
    socket.on('message', (query, from) => {
      const reply = server.#answer(query);
      if (reply !== undefined) socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    server.#port = socket.address().port;
    onTestFinished(() => {
      socket.close();
    });
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  #answer(query: Buffer): Buffer | undefined {
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end);
    this.asked.push(`${name} ${type === TYPE_A ? 'A' : type === TYPE_AAAA ? 'AAAA' : type}`);
    if (this.silent) return undefined;
    const record = this.records.get(name);
    const address = type === TYPE_A ? record?.a : type === TYPE_AAAA ? record?.aaaa : undefined;
    const code = record === undefined ? NXDOMAIN : (record.code ?? 0);
    const answers =
      address === undefined || code !== 0 ? [] : [toAnswer(type, address, record?.ttlSeconds ?? 60)];
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    // A response, recursion desired and available.
    head.writeUInt16BE(0x8180 | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    return Buffer.concat([head, query.subarray(12, end + 4), ...answers]);
  }
}

function readName(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function toAnswer(type: number, address: string, ttlSeconds: number): Buffer {
  const data =
    type === TYPE_A
      ? Buffer.from(address.split('.').map(Number))
      : Buffer.from(
          address
            .split(':')
            .map((group) => group.padStart(4, '0'))
            .join(''),
          'hex',
        );
  const head = Buffer.alloc(12);
  // The name of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
