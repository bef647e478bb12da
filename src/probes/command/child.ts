import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { VmpulseError } from '../../model/errors.js';

/** What is kept of each output where nobody says otherwise. */
const KEPT_BYTES = 4 * 1024;
/** More is not read: whoever writes on waits. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 300;
/** How long the last of its output may take after its end: what has left the group may hold the pipe open. */
const LAST_OUTPUT_MS = 100;
/** It was told to end, and killed by then: one that hangs in the kernel is left behind. */
const LEFT_BEHIND_MS = 2_000;

export interface ChildOptions {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Unset: this process's own. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Ends it: SIGTERM to its process group, and 300 ms later SIGKILL. */
  readonly signal: AbortSignal;
  /** What is kept of each output, at most 1 MiB; default 4 KiB. */
  readonly keptBytes?: number;
  /** What it reads from its standard input; default nothing. */
  readonly input?: string;
  /** It runs now; its process group has the same number. */
  readonly onSpawn?: (pid: number) => void;
}

export interface ChildEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly endedBy: NodeJS.Signals | null;
  /** The beginning of each output. */
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program in a session and process group of its own and resolves once it has ended, with the error of `spawn`
 * when it could not be started. What it leaves behind in its group is killed, and nobody waits for who has left it.
 */
export async function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { cwd, env, user, signal, keptBytes = KEPT_BYTES } = options;
  const [program = '', ...args] = options.argv;
  signal.throwIfAborted();
  const child = spawn(program, args, {
    cwd,
    env,
    detached: true,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  // One that ends without reading is none of our business.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  const stdout = new Output(piped(child.stdout), keptBytes);
  const stderr = new Output(piped(child.stderr), keptBytes);
  let killLater: NodeJS.Timeout | undefined;
  const end = () => {
    killGroup(child, 'SIGTERM');
    killLater = setTimeout(() => {
      killGroup(child, 'SIGKILL');
      // One that hangs in the kernel does not keep this process alive.
      child.unref();
    }, GRACE_MS);
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    const [code, endedBy] = await exitOf(child);
    // The group's number is not given to others as long as anybody is in it.
    killGroup(child, 'SIGKILL');
    const outputs = Promise.all([stdout.ended, stderr.ended]);
    await Promise.race([outputs, sleep(LAST_OUTPUT_MS, undefined, { ref: false })]);
    return { code, endedBy, stdout: stdout.text, stderr: stderr.text };
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(killLater);
    child.stdin?.destroy();
    stdout.close();
    stderr.close();
  }
}

/** As `runChild`, but undefined where it has not ended although it was killed: nobody waits for such a one for ever. */
export async function runChildOrLeave(options: ChildOptions): Promise<ChildEnd | undefined> {
  const { signal } = options;
  const over = new AbortController();
  const left = new Promise<undefined>((resolve) => {
    const wait = () =>
      void sleep(LEFT_BEHIND_MS, undefined, { signal: over.signal, ref: false }).then(resolve, () => {});
    if (signal.aborted) wait();
    else signal.addEventListener('abort', wait, { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([runChild(options), left]);
  } finally {
    over.abort();
  }
}

function piped(stream: Readable | null): Readable {
  if (stream !== null) return stream;
  throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'the output of a program that was started is not there');
}

function exitOf(child: ChildProcess): Promise<readonly [number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, endedBy) => resolve([code, endedBy]));
  });
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** The beginning of what a child writes. */
class Output {
  /** Resolves when nothing more comes. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  #keptBytes = 0;
  #seenBytes = 0;

  constructor(stream: Readable, maxBytes: number) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
    this.ended = new Promise((resolve) => stream.once('close', resolve));
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    this.#seenBytes += chunk.length;
    const part = chunk.subarray(0, this.#maxBytes - this.#keptBytes);
    if (part.length > 0) this.#chunks.push(part);
    this.#keptBytes += part.length;
    if (this.#seenBytes > MAX_OUTPUT_BYTES) this.#stream.pause();
  }
}
