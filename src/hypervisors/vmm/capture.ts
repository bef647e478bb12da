import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage } from '../../model/errors.js';
import type { CapturedEvidence } from '../../model/ports.js';
import { printable, readTail } from './logs.js';
import type { VmPaths } from './paths.js';

const CAPTURE_MS = 2_000;
/** The monitor's share: a VMM that hangs leaves time to save the rest. */
const MONITOR_SHARE = 0.5;
const TAIL_BYTES = 64 * 1024;
const MAX_MONITOR_BYTES = 256 * 1024;
const KEPT_FOLDERS = 200;

/** Where and of what evidence is taken. */
export interface CaptureSource {
  /** Asks the run state, and a few questions whose answers are saved by their names; each may fail. */
  readonly monitor: {
    status(deadline: Deadline): Promise<string>;
    readonly questions: Readonly<Record<string, (deadline: Deadline) => Promise<unknown>>>;
  };
  /** Logs that vmpulse itself had the VMM write; an adopted VM has none. */
  readonly paths: VmPaths | undefined;
  readonly evidenceDir: string;
}

/**
 * Saves the tails of console and VMM log, the status and counters into a folder named by the label. Best effort in
 * two seconds at most: a monitor or a disk that hangs costs its part, never the recovery.
 */
export async function capture(
  source: CaptureSource,
  label: string,
  outer: Deadline,
): Promise<CapturedEvidence> {
  const deadline = outer.part(CAPTURE_MS);
  const [console, vmmLog, monitor] = await Promise.all([
    tail(source.paths?.consoleLog, deadline),
    tail(source.paths?.vmmLog, deadline),
    ask(source.monitor, deadline),
  ]);
  const contents = { 'console.txt': console, 'vmm-log.txt': vmmLog, 'monitor.json': monitor.text };
  // A label is an action's id; whatever it is, it stays one folder.
  const folder = join(source.evidenceDir, label.replace(/[^A-Za-z0-9_-]/g, '_'));
  const files = await deadline.race(save(folder, contents)).catch(() => []);
  void prune(source.evidenceDir).catch(() => {});
  return { consoleTail: console, status: monitor.status, files };
}

async function tail(path: string | undefined, deadline: Deadline): Promise<string> {
  if (path === undefined) return '';
  const bytes = await deadline.race(readTail(path, TAIL_BYTES)).catch(() => Buffer.alloc(0));
  return printable(bytes).slice(-TAIL_BYTES);
}

async function ask(
  { status: askStatus, questions }: CaptureSource['monitor'],
  deadline: Deadline,
): Promise<{ status: string; text: string }> {
  const answers: Record<string, unknown> = {};
  const part = deadline.part(deadline.remainingMs() * MONITOR_SHARE);
  const asked = Object.entries(questions).map(async ([name, question]) => {
    answers[name] = await question(part).catch((error: unknown) => ({ error: errorMessage(error) }));
  });
  const [status] = await Promise.all([askStatus(part).catch(() => 'unknown'), ...asked]);
  return { status, text: `${JSON.stringify(answers, null, 2).slice(0, MAX_MONITOR_BYTES)}\n` };
}

async function save(folder: string, contents: Readonly<Record<string, string>>): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = Object.entries(contents).filter(([, content]) => content !== '');
  await Promise.all(
    entries.map(([name, content]) => writeFile(join(folder, name), content, { mode: 0o600 })),
  );
  return entries.map(([name]) => join(folder, name));
}

/** Keeps the newest folders. */
async function prune(evidenceDir: string): Promise<void> {
  const names = await readdir(evidenceDir);
  if (names.length <= KEPT_FOLDERS) return;
  const folders = await Promise.all(
    names.map(async (name) => ({
      path: join(evidenceDir, name),
      atMs: (await stat(join(evidenceDir, name))).mtimeMs,
    })),
  );
  folders.sort((a, b) => b.atMs - a.atMs);
  await Promise.all(
    folders.slice(KEPT_FOLDERS).map(({ path }) => rm(path, { recursive: true, force: true })),
  );
}
