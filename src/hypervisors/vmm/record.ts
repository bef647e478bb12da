import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { writeDurably } from '../../kernel/durable-file.js';
import { machineOf } from '../../model/machine.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import { hostBootId } from '../process.js';

const MAX_BYTES = 1024 * 1024;

const RECORD = z.object({
  pid: z.int().positive(),
  startTimeTicks: z.int().nonnegative(),
  /** Start times of another boot of the host mean nothing. */
  hostBootId: z.string(),
  /** SHA-256 of the command line: the record speaks only of a process that has it. */
  argvDigest: z.string(),
  machineDigest: z.string(),
  /** Records of before it was kept have none. */
  machine: z.record(z.string(), z.unknown()).optional(),
  /** Wall-clock ms. */
  startedAt: z.number(),
});

/** What a start leaves in the run directory for whoever comes next. A hint: /proc has the last word. */
export type VmmRecord = z.infer<typeof RECORD>;

export function newRecord(
  process: ProcessIdentity,
  argv: readonly string[],
  vm: Pick<VmSpec, 'machineDigest' | 'hypervisor' | 'uuid'>,
  startedAt: number,
  firstArg: string,
): VmmRecord {
  const { machineDigest } = vm;
  const machine = machineOf(vm);
  return {
    ...process,
    hostBootId: hostBootId(),
    argvDigest: digestOf(argv, firstArg),
    machineDigest,
    machine,
    startedAt,
  };
}

/** Digest of the arguments from `first` on; what comes before may be a wrapper's. */
export function digestOf(argv: readonly string[], firstArg: string): string {
  const first = Math.max(0, argv.indexOf(firstArg));
  return createHash('sha256').update(argv.slice(first).join('\0')).digest('hex');
}

/** Replaces the record whole. */
export async function writeRecord(path: string, record: VmmRecord): Promise<void> {
  await writeDurably(path, `${JSON.stringify(record)}\n`);
}

/**
 * The record of this boot of the host; undefined when missing, damaged or older. One that vmpulse has not written is none:
 * while a VMM starts as another user, the folder is that user's.
 */
export async function readRecord(path: string): Promise<VmmRecord | undefined> {
  try {
    const record = RECORD.parse(JSON.parse(await readOwn(path)));
    return record.hostBootId === hostBootId() ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Empty where it is somebody else's, or no file: a link could lead anywhere, and a pipe would hold a thread for ever. */
async function readOwn(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    const isOwn = found.isFile() && found.uid === process.geteuid?.() && found.size <= MAX_BYTES;
    return isOwn ? await file.readFile('utf8') : '';
  } finally {
    await file.close();
  }
}
