import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKernel } from '../../../src/kernel/index.js';

export const kvmMissing = existsSync('/dev/kvm') ? undefined : 'no /dev/kvm on this machine';

/** The addon under test, for workers and processes that load it themselves. */
export function addonPath(): string {
  return loadKernel().path;
}

/** A folder that is removed with `using`. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vmpulse-'));

  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A child process that waits until it is signalled; killed with `using`. */
export class WaitingChild implements Disposable {
  readonly #child: ChildProcess;
  readonly pid: number;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
  }

  /** `program` is a copy of sleep under another name, where a test needs one. */
  static async start(program = 'sleep'): Promise<WaitingChild> {
    const child = spawn(program, ['600'], { stdio: 'ignore' });
    await once(child, 'spawn');
    if (child.pid === undefined) throw new Error('spawn without a pid');
    return new WaitingChild(child, child.pid);
  }

  /** The signal that ended it; it is reaped then. */
  async ended(): Promise<NodeJS.Signals | null> {
    if (this.#child.signalCode === null && this.#child.exitCode === null) await once(this.#child, 'exit');
    return this.#child.signalCode;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** What this process's descriptors point to, for example `anon_inode:[pidfd]`. */
export function descriptorTargets(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // The descriptor of the listing itself.
    }
  });
}

/** Threads of this process that the addon started and that have not ended yet. */
export function kernelThreads(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim();
      return name.startsWith('vmpulse-') ? [name] : [];
    } catch {
      return []; // It ended in the meantime.
    }
  });
}

/** The error that `call` throws. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
