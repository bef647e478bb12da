import { z } from 'zod';
import type { Deadline } from '../../../model/deadline.js';
import { VmpulseError } from '../../../model/errors.js';
import type { ProcessIdentity } from '../../../model/vm.js';
import type { DriverHost } from '../../host.js';

/** By what a VMM's command line is known: one of the options, followed by one of the values or a list that has it. */
export interface ArgvMark {
  /** With their dashes. */
  readonly options: readonly string[];
  /** In lower case, compared without regard to it; a part of an argument that is divided by commas. */
  readonly values: readonly string[];
}

/** What worker.ts can be asked. */
export type ScanTask =
  | { readonly type: 'by-mark'; readonly mark: ArgvMark }
  | { readonly type: 'argv'; readonly pid: number }
  | { readonly type: 'listeners'; readonly socket: string; readonly pidFile: string | undefined }
  | { readonly type: 'holders'; readonly paths: readonly string[] };

export interface FoundProcess extends ProcessIdentity {
  /** Program first. */
  readonly argv: readonly string[];
}

export interface DiskHolder {
  readonly path: string;
  readonly pid: number;
  /** The process's own name for itself. */
  readonly name: string;
  readonly writable: boolean;
}

/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../../../dist/hypervisors/vmm/proc-scan/worker.js', import.meta.url);

const PROCESSES = z.array(
  z.object({ pid: z.number(), startTimeTicks: z.number(), argv: z.array(z.string()) }),
);
const ARGV = z.array(z.string());
const HOLDERS = z.array(
  z.object({ path: z.string(), pid: z.number(), name: z.string(), writable: z.boolean() }),
);

/** Questions about the host's processes, answered on a thread of the pool. */
export class ProcScanner {
  readonly #host: Pick<DriverHost, 'runInPool'>;

  constructor(host: Pick<DriverHost, 'runInPool'>) {
    this.#host = host;
  }

  /** Processes whose command line has the mark; forked helpers of such a process left out. */
  byMark(mark: ArgvMark, deadline: Deadline): Promise<FoundProcess[]> {
    return this.#ask({ type: 'by-mark', mark }, PROCESSES, deadline);
  }

  /** Command line of a process; empty when it is exiting, gone, or not ours to read. */
  argv(pid: number, deadline: Deadline): Promise<string[]> {
    return this.#ask({ type: 'argv', pid }, ARGV, deadline);
  }

  /** Processes that listen on a Unix socket; only the one that the PID file names, if it is one of them. */
  listeners(socket: string, pidFile: string | undefined, deadline: Deadline): Promise<FoundProcess[]> {
    return this.#ask({ type: 'listeners', socket, pidFile }, PROCESSES, deadline);
  }

  /** Open descriptors of these files, of all processes that this one may look into. */
  holders(paths: readonly string[], deadline: Deadline): Promise<DiskHolder[]> {
    return this.#ask({ type: 'holders', paths }, HOLDERS, deadline);
  }

  async #ask<T>(task: ScanTask, schema: z.ZodType<T>, deadline: Deadline): Promise<T> {
    const result = schema.safeParse(await this.#host.runInPool(WORKER, task, deadline.step()));
    if (result.success) return result.data;
    throw new VmpulseError(
      'ERR_VMPULSE_INTERNAL',
      `the scan "${task.type}" of /proc gave something else: ${result.error.message}`,
    );
  }
}
