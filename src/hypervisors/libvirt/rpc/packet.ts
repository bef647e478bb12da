import { malformed, XdrReader, XdrWriter } from './xdr.js';

/** Length, program, version, procedure, type, serial, status. */
const HEADER_BYTES = 7 * 4;
const LENGTH_BYTES = 4;
const VERSION = 1;
/** libvirt's own limit is 32 MiB; nothing that is asked here comes near this. */
const MAX_PACKET_BYTES = 8 * 1024 * 1024;

/** What is spoken to: libvirt itself, or what only its QEMU driver has. */
export const PROGRAMS = { remote: 0x2000_8086, qemu: 0x2000_8087 } as const;
export type Program = keyof typeof PROGRAMS;

const TYPES = { call: 0, reply: 1, message: 2 } as const;
const STATUS_ERROR = 1;

export type Packet =
  | { readonly type: 'reply'; readonly serial: number; readonly isError: boolean; readonly body: XdrReader }
  /** What nobody asked for: an event. */
  | { readonly type: 'message'; readonly procedure: number; readonly body: XdrReader }
  /** Nothing for us: streams, keep-alive. */
  | { readonly type: 'other' };

export function encodeCall(program: Program, procedure: number, serial: number, args: Buffer): Buffer {
  const header = new XdrWriter()
    .uint(HEADER_BYTES + args.length)
    .uint(PROGRAMS[program])
    .uint(VERSION)
    .int(procedure)
    .int(TYPES.call)
    .uint(serial)
    .int(0);
  return Buffer.concat([header.bytes(), args]);
}

/** Cuts a stream of bytes into packets. */
export class PacketDecoder {
  /** What is not yet a packet, as it came: put together once, however many pieces a packet has. */
  #chunks: Buffer[] = [];
  #length = 0;

  /** Throws ERR_VMPULSE_CHANNEL where it cannot be a packet; the rest of the stream means nothing then. */
  *push(chunk: Buffer): Generator<Packet> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      const bytes = this.#next();
      if (bytes === undefined) return;
      yield decode(bytes);
    }
  }

  #next(): Buffer | undefined {
    if (this.#length < LENGTH_BYTES) return undefined;
    const length = this.#announced();
    if (length < HEADER_BYTES || length > MAX_PACKET_BYTES) throw malformed(`a packet of ${length} bytes`);
    if (this.#length < length) return undefined;
    const bytes = this.#joined();
    this.#chunks = [bytes.subarray(length)];
    this.#length -= length;
    return bytes.subarray(LENGTH_BYTES, length);
  }

  #announced(): number {
    const [first = Buffer.alloc(0)] = this.#chunks;
    return (first.length >= LENGTH_BYTES ? first : this.#joined()).readUInt32BE();
  }

  #joined(): Buffer {
    const [first, ...others] = this.#chunks;
    const bytes = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }
}

function decode(bytes: Buffer): Packet {
  const reader = new XdrReader(bytes);
  const program = reader.uint();
  reader.uint();
  const procedure = reader.int();
  const type = reader.int();
  const serial = reader.uint();
  const status = reader.int();
  if (type === TYPES.reply) return { type: 'reply', serial, isError: status === STATUS_ERROR, body: reader };
  if (type === TYPES.message && program === PROGRAMS.remote)
    return { type: 'message', procedure, body: reader };
  return { type: 'other' };
}
