import { writeFileSync } from 'node:fs';

const LOAD_AT = 0x10_0000;
const HEADERS = 64 + 2 * 56;

/**
 * Writes a kernel of a few instructions that VMMs boot by PVH: it says READY on the serial port, then waits for a key
 * (Ctrl-Alt-Del of Firecracker) and resets the machine.
 */
export function writeTinyGuest(path: string): void {
  const note = Buffer.alloc(20);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(4, 4);
  // XEN_ELFNOTE_PHYS32_ENTRY
  note.writeUInt32LE(18, 8);
  note.write('Xen\0', 12, 'latin1');
  note.writeUInt32LE(LOAD_AT + HEADERS + note.length, 16);
  const body = Buffer.concat([note, code()]);
  const length = HEADERS + body.length;
  writeFileSync(path, Buffer.concat([headers(length, note.length), body]));
}

/** 32-bit protected mode, paging off. */
function code(): Buffer {
  const say = [...Buffer.from('READY\n')].flatMap((byte) => [0xb0, byte, 0xee]);
  return Buffer.from([
    ...[0xfa], // cli
    ...[0x66, 0xba, 0xf8, 0x03], // mov $0x3f8, %dx
    ...say, // mov $byte, %al; out %al, (%dx)
    ...[0xf3, 0x90, 0xe4, 0x64, 0xa8, 0x01, 0x74, 0xf8], // 1: pause; in $0x64, %al; test $1, %al; jz 1b
    ...[0xe4, 0x60, 0x84, 0xc0, 0x74, 0xf2], // in $0x60, %al; test %al, %al; jz 1b
    ...[0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xec], // mov $0xfe, %al; out %al, $0x64; jmp 1b
  ]);
}

function headers(length: number, noteLength: number): Buffer {
  const elf = Buffer.alloc(HEADERS);
  elf.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  elf.writeUInt16LE(2, 16); // ET_EXEC
  elf.writeUInt16LE(62, 18); // EM_X86_64
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(LOAD_AT + HEADERS + noteLength), 24);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(2, 56);
  segment(elf, 64, { type: 1, offset: 0, length });
  segment(elf, 120, { type: 4, offset: HEADERS, length: noteLength });
  return elf;
}

function segment(
  elf: Buffer,
  at: number,
  { type, offset, length }: { readonly type: number; readonly offset: number; readonly length: number },
): void {
  elf.writeUInt32LE(type, at);
  elf.writeUInt32LE(7, at + 4);
  elf.writeBigUInt64LE(BigInt(offset), at + 8);
  for (const field of [16, 24]) elf.writeBigUInt64LE(BigInt(LOAD_AT + offset), at + field);
  for (const field of [32, 40]) elf.writeBigUInt64LE(BigInt(length), at + field);
  elf.writeBigUInt64LE(0x1000n, at + 48);
}
