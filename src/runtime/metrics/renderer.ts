import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { VmId } from '../../model/vm.js';
import { type Encoding, PagesThread } from './pages-thread.js';
import { sameRow, type VmRow } from './vm-row.js';

export interface RendererOptions {
  /** The text of everything but the VMs. */
  readonly head: () => Promise<string>;
  /** VMs of which something may have changed since it was asked last; undefined: any, and which there are. */
  readonly changed: () => ReadonlySet<VmId> | undefined;
  /** Of these VMs; undefined: of all. */
  readonly rows: (only: ReadonlySet<VmId> | undefined) => Iterable<VmRow>;
  /** Also the names of older dashboards; asked at each scrape. */
  readonly seedNames: () => boolean;
  /** Longest wait for the thread, ms; default 4000. A scrape asks a second one when the first fails. */
  readonly deadlineMs?: number;
  /** Why the metrics of the VMs are missing from now on, or undefined: they are there. */
  readonly onMissing: (why: string | undefined) => void;
}

/** So many rows are looked at in one turn of the loop, which takes a few milliseconds. */
const ROWS_A_TURN = 1_000;
const DEADLINE_MS = 4_000;
const ATTEMPTS = 2;

/** Whether the VMs' metrics are in the text that it stands in. */
export const AVAILABLE = {
  name: 'vmpulse_vm_series_available',
  type: 'gauge',
  help: '1 while the metrics of single VMs are in this answer, 0 while they could not be made.',
};

/**
 * The whole text of the metrics. That of the VMs is kept by another thread, which is told of rows that changed; one that
 * dies is replaced within the scrape, and where that fails, too, the text goes without the VMs and says so.
 */
export class Renderer {
  readonly #options: RendererOptions;
  readonly #waiting = new Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>();
  #turn: Promise<unknown> = Promise.resolve();
  #thread: PagesThread | undefined;
  /** What the thread knows, and in which sweep each was last seen. */
  #sent = new Map<VmId, { row: VmRow; sweep: number }>();
  #sweep = 0;
  #restarts = 0;
  #isClosed = false;

  constructor(options: RendererOptions) {
    this.#options = options;
  }

  /** Threads that failed and were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** One after another; who asks while another waits for its turn shares what that gets. */
  render(encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
    const waiting = this.#waiting.get(encoding);
    if (waiting) return waiting;
    const next = this.#turn.then(() => {
      this.#waiting.delete(encoding);
      return this.#render(encoding);
    });
    this.#waiting.set(encoding, next);
    this.#turn = next.catch(() => {});
    return next;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.close();
  }

  async #render(encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
    const head = await this.#options.head();
    for (let attempt = 1; ; attempt++) {
      try {
        const body = await this.#ask(head, encoding);
        this.#options.onMissing(undefined);
        return body;
      } catch (error) {
        if (this.#isClosed) throw closed();
        this.#restarts += 1;
        // What had changed may not have been sent.
        this.#sent = new Map();
        if (attempt < ATTEMPTS) continue;
        this.#options.onMissing(`the metrics of single VMs are missing: ${errorMessage(error)}`);
        return alone(head, encoding);
      }
    }
  }

  async #ask(head: string, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isClosed) throw closed();
    const seedNames = this.#options.seedNames();
    if (this.#thread === undefined || this.#thread.hasEnded || this.#thread.seedNames !== seedNames) {
      await this.#thread?.close();
      if (this.#isClosed) throw closed();
      this.#thread = new PagesThread({ seedNames });
      this.#sent = new Map();
    }
    const thread = this.#thread;
    await this.#tell(thread);
    return thread.render(head + available(1), encoding, this.#options.deadlineMs ?? DEADLINE_MS);
  }

  /** Sends what changed since the last time. */
  async #tell(thread: PagesThread): Promise<void> {
    const sweep = ++this.#sweep;
    const told = this.#options.changed();
    // A new thread knows nothing yet.
    const only = this.#sent.size === 0 ? undefined : told;
    let changed: VmRow[] = [];
    let seen = 0;
    for (const row of this.#options.rows(only)) {
      const known = this.#sent.get(row.id);
      if (known !== undefined && sameRow(known.row, row)) known.sweep = sweep;
      else {
        changed.push(row);
        this.#sent.set(row.id, { row, sweep });
      }
      seen += 1;
      if (seen % ROWS_A_TURN !== 0) continue;
      thread.send(changed, []);
      changed = [];
      await nextTurn();
    }
    thread.send(changed, only !== undefined || this.#sent.size === seen ? [] : this.#forget(sweep));
  }

  /** VMs that were not seen in this sweep. */
  #forget(sweep: number): VmId[] {
    const gone: VmId[] = [];
    for (const [id, known] of this.#sent) if (known.sweep !== sweep) gone.push(id);
    for (const id of gone) this.#sent.delete(id);
    return gone;
  }
}

function alone(head: string, encoding: Encoding): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(head + available(0));
  return encoding === 'gzip' ? gzipSync(text) : text;
}

function available(value: 0 | 1): string {
  const { name, type, help } = AVAILABLE;
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
}

function closed(): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CLOSED', 'the metrics are closed');
}
