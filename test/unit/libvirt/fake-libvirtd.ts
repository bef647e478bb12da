import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { XdrReader, XdrWriter } from '../../../src/hypervisors/libvirt/rpc/xdr.js';
import { testFolder } from '../../fixtures/folder.js';

const HEADER = 28;
const REMOTE = 0x2000_8086;

interface Asked {
  readonly procedure: number;
  readonly serial: number;
  readonly args: XdrReader;
}

/** `undefined`: no answer ever; a number: an error of that code. */
type Answer = (asked: Asked) => XdrWriter | number | undefined;

/** A server of libvirt's protocol whose answers are the test's; it greets, and answers nothing else by itself. */
export class FakeLibvirtd {
  readonly path = join(testFolder(), 'sock');
  readonly answers = new Map<number, Answer>([
    [66, () => new XdrWriter().uint(1).int(0)],
    [1, () => new XdrWriter()],
    [2, () => new XdrWriter()],
    [316, ({ args }) => new XdrWriter().int(args.int() + 40)],
    [
      317,
      ({ args }) => {
        this.takenBack.push(args.int());
        return new XdrWriter();
      },
    ],
  ]);
  readonly sockets: Socket[] = [];
  /** Procedures in the order of their coming. */
  readonly asked: number[] = [];
  /** Numbers of the events that clients do not want any more. */
  readonly takenBack: number[] = [];

  static async start(): Promise<FakeLibvirtd> {
    const fake = new FakeLibvirtd();
    await fake.listen();
    return fake;
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
    onTestFinished(() => {
      for (const socket of this.sockets) socket.destroy();
      server.close();
    });
  }

  /** An answer to a call, as bytes. */
  static reply({ procedure, serial }: Asked, body: XdrWriter, status: 'ok' | 'error' = 'ok'): Buffer {
    return packet(procedure, 1, serial, status === 'error' ? 1 : 0, body.bytes());
  }

  /** An event, or any bytes, to whoever is connected. */
  tell(procedure: number, body: XdrWriter): void {
    this.sockets.at(-1)?.write(packet(procedure, 2, 0, 0, body.bytes()));
  }

  #serve(socket: Socket): void {
    this.sockets.push(socket);
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= bytes.readUInt32BE()) {
        const length = bytes.readUInt32BE();
        this.#answer(socket, bytes.subarray(0, length));
        bytes = bytes.subarray(length);
      }
    });
  }

  #answer(socket: Socket, call: Buffer): void {
    const procedure = call.readInt32BE(12);
    const serial = call.readUInt32BE(20);
    this.asked.push(procedure);
    const answer = this.answers.get(procedure)?.({
      procedure,
      serial,
      args: new XdrReader(call.subarray(HEADER)),
    });
    if (answer === undefined) return;
    const isError = typeof answer === 'number';
    const body = isError ? errorBody(answer) : answer.bytes();
    socket.write(packet(procedure, 1, serial, isError ? 1 : 0, body));
  }
}

function packet(procedure: number, type: number, serial: number, status: number, body: Buffer): Buffer {
  const head = new XdrWriter()
    .uint(HEADER + body.length)
    .uint(REMOTE)
    .uint(1)
    .int(procedure);
  return Buffer.concat([head.int(type).uint(serial).int(status).bytes(), body]);
}

function errorBody(code: number): Buffer {
  const none = (writer: XdrWriter) => writer.int(0);
  const body = new XdrWriter().int(code).int(10);
  body.optional('it says\u001b[2J why', (writer, text) => writer.string(text)).int(2);
  for (let left = 4; left > 0; left -= 1) none(body);
  return none(body.int(-1).int(-1)).bytes();
}
