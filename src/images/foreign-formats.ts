/** What the beginning and the end of a file are looked at by; a disk has whole ones. */
export const SECTOR_BYTES = 512;

interface Sign {
  readonly name: string;
  /** Bytes as Latin-1 text. */
  readonly magic: string;
  readonly at?: number;
}

/** What has to be unpacked before. */
const PACKED: readonly Sign[] = [
  { name: 'gzip', magic: '\x1f\x8b\b' },
  { name: 'xz', magic: '\xfd7zXZ\0' },
  { name: 'zstd', magic: '\x28\xb5\x2f\xfd' },
  { name: 'bzip2', magic: 'BZh' },
  { name: 'lz4', magic: '\x04\x22\x4d\x18' },
  { name: '7z', magic: "7z\xbc\xaf'\x1c" },
  { name: 'zip', magic: 'PK\x03\x04' },
  { name: 'tar', magic: 'ustar', at: 257 },
];

/** Images that no driver is told of here; taken as raw a guest would find no disk in them. */
const FOREIGN: readonly Sign[] = [
  { name: 'qcow (version 1)', magic: 'QFI\xfb\0\0\0\x01' },
  { name: 'QED', magic: 'QED\0' },
  { name: 'VMDK', magic: 'KDMV' },
  { name: 'VMDK', magic: 'COWD' },
  { name: 'VMDK', magic: '# Disk DescriptorFile' },
  { name: 'VDI', magic: '\x7f\x10\xda\xbe', at: 64 },
  { name: 'VHDX', magic: 'vhdxfile' },
  { name: 'VHD', magic: 'conectix' },
  { name: 'Parallels', magic: 'WithoutFreeSpace' },
  { name: 'Parallels', magic: 'WithouFreSpacExt' },
];

/** What servers answer with in place of an image. */
const PAGE = /^\s*<(?:!doctype|html|\?xml)/i;

/** Why bytes of this beginning and end are no image that can be used as it is; undefined: they may be one. */
export function problemOfBytes(begin: Buffer, end: Buffer): string | undefined {
  const isSign = ({ magic, at = 0 }: Sign) => begin.toString('latin1', at, at + magic.length) === magic;
  const packed = PACKED.find(isSign);
  if (packed !== undefined) return `is packed with ${packed.name}; unpack it before`;
  // A VHD of fixed size begins with the disk and says what it is at the end.
  const isFixedVhd = end.toString('latin1', 0, 8) === 'conectix';
  const foreign = isFixedVhd ? 'VHD' : FOREIGN.find(isSign)?.name;
  if (foreign !== undefined) return `is a ${foreign} image; convert it to qcow2 (qemu-img convert -O qcow2)`;
  return PAGE.test(begin.toString('latin1')) ? 'is a page of text, no image' : undefined;
}
