import { type FileHandle, open } from 'node:fs/promises';
import { VmpulseError } from '../model/errors.js';
import { backingName, parseQcow2Header, type Qcow2Header } from '../model/qcow2.js';
import { problemOfBytes, SECTOR_BYTES } from './foreign-formats.js';

export type ImageFormat = 'raw' | 'qcow2';

/** What the beginning of an image says. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Size of the disk that a guest sees. */
  readonly virtualBytes: number;
  /** The image that it is laid over; unset: none. */
  readonly backing?: string;
}

/**
 * Reads it. Only of a file that no guest could write as a raw disk: one that could may have written any header there. Throws
 * ERR_VMPULSE_STORAGE for what cannot be an image of a VM, with the name that it is shown by.
 */
export async function readImageHeader(path: string, shown = path): Promise<ImageHeader> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const begin = await readAt(file, 0, SECTOR_BYTES);
    const end = await readAt(file, Math.max(0, size - SECTOR_BYTES), SECTOR_BYTES);
    const problem = problemOfBytes(begin, end);
    if (problem !== undefined) throw new VmpulseError('ERR_VMPULSE_STORAGE', `${shown} ${problem}`);
    const header = parseQcow2Header(begin, shown);
    return header === undefined ? { format: 'raw', virtualBytes: size } : await qcow2(file, header, shown);
  } finally {
    await file.close();
  }
}

async function qcow2(
  file: FileHandle,
  { virtualBytes, backing, hasDataFile }: Qcow2Header,
  path: string,
): Promise<ImageHeader> {
  if (hasDataFile) {
    const text = `${path} keeps its data in another file; convert it (qemu-img convert)`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }
  if (backing === undefined) return { format: 'qcow2', virtualBytes };
  const name = backingName(backing, await readAt(file, backing.at, backing.bytes), path);
  return { format: 'qcow2', virtualBytes, backing: name };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
