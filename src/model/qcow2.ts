import { VmpulseError } from './errors.js';

const MAGIC = 0x5146_49fb;
/** The header of version 2, without what version 3 has added. */
const LEAST_BYTES = 72;
/** Bit 2 of the incompatible features: the data lies in another file. */
const DATA_FILE = 1n << 2n;
/** QEMU refuses longer ones, too. */
const MAX_BACKING_BYTES = 1023;

/** So much of the beginning of a qcow2 image has all that is read of it here. */
export const QCOW2_HEADER_BYTES = 112;

/** A stretch of a file. */
interface Place {
  readonly at: number;
  readonly bytes: number;
}

/** What the header of a qcow2 image says. */
export interface Qcow2Header {
  /** Size of the disk that a guest sees. */
  readonly virtualBytes: number;
  /** Where the name of the image stands that it is laid over, at most 1023 bytes; unset: it is laid over none. */
  readonly backing?: Place;
  readonly hasDataFile: boolean;
  /** How many snapshots are inside, and where their table begins. */
  readonly snapshots: { readonly count: number; readonly at: number };
}

/**
 * Reads the beginning of a file; undefined: it is no qcow2 image. `path` is for errors: ERR_VMPULSE_STORAGE where the image
 * is laid over one whose name cannot be one.
 */
export function parseQcow2Header(bytes: Buffer, path: string): Qcow2Header | undefined {
  if (bytes.length < LEAST_BYTES || bytes.readUInt32BE(0) !== MAGIC) return undefined;
  const isVersion3 = bytes.readUInt32BE(4) >= 3 && bytes.length >= 80;
  const place = { at: Number(bytes.readBigUInt64BE(8)), bytes: bytes.readUInt32BE(16) };
  const hasBacking = place.at !== 0 && place.bytes !== 0;
  if (hasBacking && place.bytes > MAX_BACKING_BYTES) {
    const text = `${path} is laid over an image whose name has ${place.bytes} bytes, and ${MAX_BACKING_BYTES} are possible: its header is damaged`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }
  return {
    virtualBytes: Number(bytes.readBigUInt64BE(24)),
    ...(hasBacking ? { backing: place } : {}),
    hasDataFile: isVersion3 && (bytes.readBigUInt64BE(72) & DATA_FILE) !== 0n,
    snapshots: { count: bytes.readUInt32BE(60), at: Number(bytes.readBigUInt64BE(64)) },
  };
}

/** The name of the image below, from the bytes of its place. Throws ERR_VMPULSE_STORAGE where the file ends before. */
export function backingName({ bytes }: Place, found: Buffer, path: string): string {
  if (found.length === bytes) return found.toString('utf8');
  throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} ends within its header`);
}
