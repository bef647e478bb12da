import { z } from 'zod';
import type { ExternalSetting } from '../external.js';

/** Up to where a log was read. Another device or inode, or a shorter file: it was replaced or cut. */
const POSITION = z.object({
  dev: z.number(),
  ino: z.number(),
  size: z.number(),
  /** Of the first line that had not ended. */
  offset: z.number(),
});
export type Position = z.infer<typeof POSITION>;

export interface ScanTask {
  readonly path: string;
  /** Null: only the end of the file, at most `maxBytes`, is looked at. */
  readonly position: Position | null;
  /** Of what was added, at most so much is read, from its end. */
  readonly maxBytes: number;
  readonly seen: string | undefined;
  readonly notSeen: string | undefined;
}

const SCAN = z.object({
  position: POSITION,
  hasGrown: z.boolean(),
  skippedBytes: z.number(),
  /** The last line that matched, cut; null for none. */
  seen: z.string().nullable(),
  notSeen: z.string().nullable(),
});
export type Scan = z.infer<typeof SCAN>;

/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../../dist/probes/console/worker.js', import.meta.url);

/** Reads what was added to a log, on a thread of the pool. Rejects when the file cannot be read. */
export async function scanLog(
  runInPool: ExternalSetting['runInPool'],
  task: ScanTask,
  deadlineMs: number,
): Promise<Scan> {
  return SCAN.parse(await runInPool(WORKER, task, { deadlineMs }));
}
