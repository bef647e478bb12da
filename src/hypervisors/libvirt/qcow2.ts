import { type FileHandle, open } from 'node:fs/promises';
import { errorMessage, VmpulseError } from '../../model/errors.js';

const MAGIC = 0x5146_49fb;
const HEADER_BYTES = 72;
/** What comes before the names of an entry. */
const ENTRY_BYTES = 40;
const MAX_BACKING_BYTES = 1023;
const MAX_TABLE_BYTES = 16 * 1024 * 1024;

/** Names of the snapshots inside a qcow2 image, also while it is written. Throws ERR_VMPULSE_STORAGE for what is none. */
export async function snapshotNames(path: string): Promise<string[]> {
  return read(path, async (file, header) => {
    const count = header.readUInt32BE(60);
    const tableAt = Number(header.readBigUInt64BE(64));
    // Not by the size of the file, which a block device has not; the end of it ends the table.
    return count === 0 ? [] : namesIn(await readAt(file, tableAt, MAX_TABLE_BYTES), count);
  });
}

/** The file that a qcow2 image is laid over, as it names it; undefined: none. Throws ERR_VMPULSE_STORAGE for what is none. */
export async function backingFile(path: string): Promise<string | undefined> {
  return read(path, async (file, header) => {
    const [at, length] = [Number(header.readBigUInt64BE(8)), header.readUInt32BE(16)];
    if (at === 0 || length > MAX_BACKING_BYTES) return undefined;
    return (await readAt(file, at, length)).toString('utf8');
  });
}

async function read<T>(path: string, look: (file: FileHandle, header: Buffer) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, 'r');
    try {
      const header = await readAt(file, 0, HEADER_BYTES);
      if (header.length < HEADER_BYTES || header.readUInt32BE(0) !== MAGIC)
        throw new Error('it is no qcow2 image');
      return await look(file, header);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} cannot be read: ${errorMessage(error)}`);
  }
}

function namesIn(table: Buffer, count: number): string[] {
  const names: string[] = [];
  for (let at = 0; names.length < count; ) {
    if (at + ENTRY_BYTES > table.length) throw new Error('its table of snapshots is damaged');
    const idBytes = table.readUInt16BE(at + 12);
    const nameBytes = table.readUInt16BE(at + 14);
    const nameAt = at + ENTRY_BYTES + table.readUInt32BE(at + 36) + idBytes;
    names.push(table.toString('utf8', nameAt, nameAt + nameBytes));
    // Each entry begins at a multiple of eight.
    at = Math.ceil((nameAt + nameBytes) / 8) * 8;
  }
  return names;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
