import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a tiny guest does for ever, once it has taken its first interrupts. */
export const TINY_GUESTS = {
  /** sti; hlt; jmp: waits for interrupts and takes them. */
  idle: [0xfb, 0xf4, 0xeb, 0xfd],
  /** sti; jmp: computes and takes interrupts. */
  busy: [0xfb, 0xeb, 0xfe],
  /** sti; out 0x80; jmp: leaves to the VMM all the time. */
  ports: [0xfb, 0xe6, 0x80, 0xeb, 0xfc],
  /** cli; jmp: spins with interrupts off. */
  spin: [0xfa, 0xeb, 0xfe],
  /** cli; hlt; jmp: sleeps with interrupts off. */
  halted: [0xfa, 0xf4, 0xeb, 0xfd],
} as const;

export type TinyGuest = keyof typeof TINY_GUESTS;

const SIZE = 65_536;
const HANDLER_AT = 0x100;
const RESET_AT = 0xfff0;
const HLT = 0xf4;

/** mov al, value; out port, al */
const out = (port: number, value: number) => [0xb0, value, 0xe6, port];

/**
 * Firmware of one page of code, in 16-bit real mode: it sets up the interrupt controller and a timer of 100 Hz, takes
 * `ticks` interrupts and then behaves as named. Its whole life is visible from outside, and nothing of it is Linux's.
 */
export function tinyFirmware(guest: TinyGuest, ticks: number): Buffer {
  const code = [
    // cli; ax, ds, ss = 0; sp = 0x7000
    ...[0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70],
    // The vector of IRQ 0 (8) is f000:0100, and the count of ticks at 0x500 is 0.
    ...[0xc7, 0x06, 0x20, 0x00, 0x00, 0x01, 0xc7, 0x06, 0x22, 0x00, 0x00, 0xf0],
    ...[0xc7, 0x06, 0x00, 0x05, 0x00, 0x00],
    // 8259: vectors from 8, only IRQ 0; 8254: mode 2, 1193182 / 11932 = 100 Hz.
    ...out(0x20, 0x11),
    ...out(0x21, 0x08),
    ...out(0x21, 0x04),
    ...out(0x21, 0x01),
    ...out(0x21, 0xfe),
    ...out(0xa1, 0xff),
    ...out(0x43, 0x34),
    ...out(0x40, 0x9c),
    ...out(0x40, 0x2e),
    // sti; until [0x500] >= ticks: hlt
    ...[0xfb, HLT, 0x81, 0x3e, 0x00, 0x05, ticks & 0xff, ticks >> 8, 0x72, 0xf7],
    ...TINY_GUESTS[guest],
  ];
  // inc word [0x500]; push ax; end of interrupt; pop ax; iret
  const handler = [0xff, 0x06, 0x00, 0x05, 0x50, ...out(0x20, 0x20), 0x58, 0xcf];
  const image = Buffer.alloc(SIZE, HLT);
  Buffer.from(code).copy(image, 0);
  Buffer.from(handler).copy(image, HANDLER_AT);
  Buffer.from([0xea, 0x00, 0x00, 0x00, 0xf0]).copy(image, RESET_AT);
  return image;
}

/** What QEMU needs to run it: without an APIC the timer reaches the vCPU as on the first PC. */
export function tinyGuest(folder: string, guest: TinyGuest, ticks: number) {
  const path = join(folder, `${guest}-${ticks}.bin`);
  writeFileSync(path, tinyFirmware(guest, ticks));
  return {
    machine: 'pc,smm=off,hpet=off',
    cpu: 'qemu64,-apic',
    memoryMiB: 32,
    guestAgent: false,
    pvpanic: false,
    extraArgs: ['-bios', path],
  };
}
