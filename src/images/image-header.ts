import { type FileHandle, open } from 'node:fs/promises';
import { VmpulseError } from '../model/errors.js';
import { backingName, parseQcow2Header, QCOW2_HEADER_BYTES } from '../model/qcow2.js';

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
    const begin = await readAt(file, 0, QCOW2_HEADER_BYTES);
    const packed = PACKED.find(([, magic]) => begin.toString('hex').startsWith(magic));
    if (packed !== undefined)
      throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} is packed with ${packed[0]}; unpack it before`);
    const header = parseQcow2Header(begin, path);
    if (header === undefined) {
      const { size } = await file.stat();
      return { format: 'raw', virtualBytes: size };
    }
    const { virtualBytes, backing, hasDataFile } = header;
    if (hasDataFile)
      throw new VmpulseError(
        'ERR_VMPULSE_STORAGE',
        `${path} keeps its data in another file; convert it (qemu-img convert)`,
      );
    if (backing === undefined) return { format: 'qcow2', virtualBytes };
    const name = backingName(backing, await readAt(file, backing.at, backing.bytes), path);
    return { format: 'qcow2', virtualBytes, backing: name };
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
