import { createHash } from 'node:crypto';

/** Name space of the UUIDs that vmpulse derives (RFC 9562, version 5). Never changes: VMs keep their UUIDs by it. */
const VMPULSE_NAMESPACE = Buffer.from('6f0c1f0e7c4b5d6a9a0e6d1c2b7e4a53', 'hex');

/** The UUID of a VM that was given none: the same for the same `namespace/name`, on every host and in every run. */
export function stableUuid(id: string): string {
  const hash = createHash('sha1').update(VMPULSE_NAMESPACE).update(id).digest();
  const bytes = hash.subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
