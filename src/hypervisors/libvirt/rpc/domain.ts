import type { XdrReader, XdrWriter } from './xdr.js';

/** A domain as libvirt's calls name it: found by its UUID. */
export interface DomainRef {
  readonly name: string;
  readonly uuid: string;
}

const UUID_BYTES = 16;

export function writeDomain(writer: XdrWriter, { name, uuid }: DomainRef): XdrWriter {
  // The number of a running domain; libvirt does not look at it.
  return writer.string(name).fixed(uuidBytes(uuid)).int(-1);
}

export function readDomain(reader: XdrReader): DomainRef {
  const name = reader.string();
  const hex = reader.fixed(UUID_BYTES).toString('hex');
  reader.int();
  return { name, uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') };
}

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
