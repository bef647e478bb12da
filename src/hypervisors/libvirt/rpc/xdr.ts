import { VmpulseError } from '../../../model/errors.js';

/** Longer strings are none that libvirt sends (REMOTE_STRING_MAX is 4 MiB). */
const MAX_STRING_BYTES = 4 * 1024 * 1024;

/** Writes values as XDR (RFC 4506) has them: big-endian, each filled up to four bytes. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.#add(bytes);
  }

  uint(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.#add(bytes);
  }

  string(text: string): this {
    const bytes = Buffer.from(text, 'utf8');
    return this.uint(bytes.length).fixed(bytes);
  }

  /** Bytes whose number both sides know. */
  fixed(bytes: Buffer): this {
    return this.#add(bytes, Buffer.alloc(padding(bytes.length)));
  }

  optional<T>(value: T | undefined, write: (writer: this, value: T) => void): this {
    this.int(value === undefined ? 0 : 1);
    if (value !== undefined) write(this, value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(...parts: Buffer[]): this {
    this.#parts.push(...parts);
    return this;
  }
}

/** Reads them; whatever does not fit throws ERR_VMPULSE_CHANNEL. */
export class XdrReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    return this.#take(4).readInt32BE();
  }

  uint(): number {
    return this.#take(4).readUInt32BE();
  }

  hyper(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  unsignedHyper(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  double(): number {
    return this.#take(8).readDoubleBE();
  }

  string(): string {
    const length = this.uint();
    if (length > MAX_STRING_BYTES) throw malformed(`a string of ${length} bytes`);
    return this.fixed(length).toString('utf8');
  }

  fixed(length: number): Buffer {
    const bytes = this.#take(length);
    this.#take(padding(length));
    return bytes;
  }

  optional<T>(read: (reader: this) => T): T | undefined {
    return this.int() === 0 ? undefined : read(this);
  }

  array<T>(max: number, read: (reader: this) => T): T[] {
    const length = this.uint();
    if (length > max) throw malformed(`a list of ${length} where ${max} are possible`);
    return Array.from({ length }, () => read(this));
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed('fewer bytes than it announces');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

export function malformed(what: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CHANNEL', `libvirt sent ${what}: it speaks another protocol`);
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
