import { type FileHandle, open } from 'node:fs/promises';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { backingName, parseQcow2Header, QCOW2_HEADER_BYTES, type Qcow2Header } from '../../model/qcow2.js';

/** What comes before the names of an entry. */
const ENTRY_BYTES = 40;
const MAX_TABLE_BYTES = 16 * 1024 * 1024;

/** Names of the snapshots inside a qcow2 image, also while it is written. Throws ERR_VMPULSE_STORAGE for what is none. */
export async function snapshotNames(path: string): Promise<string[]> {
  return read(path, async (file, { snapshots: { count, at } }) =>
    // Not by the size of the file, which a block device has not; the end of it ends the table.
    count === 0 ? [] : namesIn(await readAt(file, at, MAX_TABLE_BYTES), count),
  );
}

/** The file that a qcow2 image is laid over, as it names it; undefined: none. Throws ERR_VMPULSE_STORAGE for what is none. */
export async function backingFile(path: string): Promise<string | undefined> {
  return read(path, async (file, { backing }) =>
    backing === undefined
      ? undefined
      : backingName(backing, await readAt(file, backing.at, backing.bytes), path),
  );
}

async function read<T>(
  path: string,
  look: (file: FileHandle, header: Qcow2Header) => Promise<T>,
): Promise<T> {
  try {
    const file = await open(path, 'r');
    try {
      const header = parseQcow2Header(await readAt(file, 0, QCOW2_HEADER_BYTES), path);
      if (header === undefined) throw new Error('it is no qcow2 image');
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
