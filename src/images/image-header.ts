import { type FileHandle, open } from 'node:fs/promises';
import { VmpulseError } from '../model/errors.js';

const QCOW2_MAGIC = 0x5146_49fb;
const HEADER_BYTES = 112;
/** Bit 2 of the incompatible features: the data lies in another file. */
const DATA_FILE = 1n << 2n;
const MAX_BACKING_BYTES = 1023;
/** First bytes of what has to be unpacked before. */
const PACKED: readonly (readonly [name: string, magic: string])[] = [
  ['gzip', '1f8b08'],
  ['xz', 'fd377a585a00'],
  ['zstd', '28b52ffd'],
  ['bzip2', '425a68'],
  ['zip', '504b0304'],
];

/** What the beginning of an image says. */
export interface ImageHeader {
  readonly format: 'raw' | 'qcow2';
  /** Size of the disk that a guest sees. */
  readonly virtualBytes: number;
  /** The image that it is laid over; unset: none. */
  readonly backing?: string;
}

/** Reads it. Throws ERR_VMPULSE_STORAGE for what cannot be an image of a VM. */
export async function readImageHeader(path: string): Promise<ImageHeader> {
  const file = await open(path, 'r');
  try {
    const header = await readAt(file, 0, HEADER_BYTES);
    const packed = PACKED.find(([, magic]) => header.toString('hex').startsWith(magic));
    if (packed !== undefined)
      throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} is packed with ${packed[0]}; unpack it before`);
    if (header.length < HEADER_BYTES || header.readUInt32BE(0) !== QCOW2_MAGIC) {
      const { size } = await file.stat();
      return { format: 'raw', virtualBytes: size };
    }
    const offset = header.readBigUInt64BE(8);
    const length = header.readUInt32BE(16);
    const isVersion3 = header.readUInt32BE(4) >= 3;
    if (isVersion3 && (header.readBigUInt64BE(72) & DATA_FILE) !== 0n)
      throw new VmpulseError(
        'ERR_VMPULSE_STORAGE',
        `${path} keeps its data in another file; convert it (qemu-img convert)`,
      );
    const virtualBytes = Number(header.readBigUInt64BE(24));
    if (offset === 0n || length === 0) return { format: 'qcow2', virtualBytes };
    const backing = await readAt(file, Number(offset), Math.min(length, MAX_BACKING_BYTES));
    if (backing.length < Math.min(length, MAX_BACKING_BYTES))
      throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} ends within its header`);
    return { format: 'qcow2', virtualBytes, backing: backing.toString('utf8') };
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
