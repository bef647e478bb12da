import { spawnSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { findProgram } from '../../scripts/lib/run.mjs';

const SETUP_SECTORS_OFFSET = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const MAX_KERNEL_BYTES = 512 * 1024 * 1024;

/** The compressors that distributions pack kernels and modules with, by their first bytes. */
const FORMATS = [
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), program: 'xz', package: 'xz-utils' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), program: 'zstd', package: 'zstd' },
  { magic: Buffer.from([0x1f, 0x8b]), program: undefined, package: undefined },
];

/**
 * Takes the ELF kernel out of a bzImage (Documentation/arch/x86/boot.rst of Linux: payload offset and length
 * count from the end of the real-mode set-up). It boots in half the time of the packed one.
 *
 * @param {Buffer} bzImage
 * @returns {Buffer}
 */
export function extractVmlinux(bzImage) {
  if (bzImage.length < 0x250 || bzImage.toString('latin1', 0x202, 0x206) !== 'HdrS') {
    throw new Error('the kernel is not a bzImage: boot header HdrS not found');
  }
  const start = (bzImage.readUInt8(SETUP_SECTORS_OFFSET) + 1) * 512 + bzImage.readUInt32LE(PAYLOAD_OFFSET);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(PAYLOAD_LENGTH));
  const vmlinux = decompress(payload);
  if (!vmlinux.subarray(0, 4).equals(ELF_MAGIC))
    throw new Error('the payload of the bzImage is not an ELF kernel');
  return vmlinux;
}

/**
 * Undoes xz, zstd or gzip, told by the first bytes; anything else is returned as it is.
 *
 * @param {Buffer} data
 * @returns {Buffer}
 */
export function decompress(data) {
  const format = FORMATS.find(({ magic }) => data.subarray(0, magic.length).equals(magic));
  if (format === undefined) return data;
  if (format.program === undefined) return gunzipSync(data);
  const program = findProgram(format.program);
  if (program === undefined)
    throw new Error(`no program ${format.program}: apt-get install ${format.package}`);
  // bzImage appends the unpacked size behind an xz stream; --single-stream stops before it.
  const args = format.program === 'xz' ? ['-dc', '--single-stream'] : ['-dc', '-q'];
  const result = spawnSync(program, args, { input: data, maxBuffer: MAX_KERNEL_BYTES });
  // zstd complains of the four size bytes after the frame, yet has written everything by then.
  if (result.stdout === null || result.stdout.length === 0) {
    throw new Error(`${format.program} cannot decompress it: ${result.stderr?.toString().trim()}`);
  }
  return result.stdout;
}
