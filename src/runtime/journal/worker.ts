import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf, errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import { damagedBeside, moveAside, readableState } from './aside.js';
import { unpackRows } from './entry-codec.js';
import { JournalMark } from './mark.js';
import type { JournalCommand, JournalOp, JournalReply, JournalRequest, JournalResults } from './protocol.js';
import { JournalDamage, JournalStore, type StoreOptions } from './store.js';

/** Runs the commands of one journal, one after another, on this Worker. */
class JournalHost {
  readonly #options: StoreOptions;
  #store: JournalStore | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  handle(command: JournalCommand): JournalResults[JournalOp] {
    switch (command.op) {
      case 'open':
        return this.#opened().lost ?? null;
      case 'append':
        this.#opened().append(command.batch, command.packed.flatMap(unpackRows));
        return this.#opened().lost ?? null;
      case 'read':
        return this.#opened().read(command.query);
      case 'query':
        return this.#opened().query(command.query);
      case 'ofActions':
        return this.#opened().ofActions(command.ids);
      case 'unfinished':
        return this.#opened().unfinished();
      case 'saveState':
        this.#opened().saveState(command.values);
        return null;
      case 'loadState':
        return this.#opened().loadState(command.prefix);
      case 'prune':
        return this.#opened().prune(command.nowMs);
      case 'acceptLoss':
        this.#opened().acceptAsOwn();
        this.#shut();
        return null;
      case 'close':
        this.#shut();
        return null;
    }
  }

  /**
   * The coded error of whatever SQLite or the file system threw. The file is closed unless the error passes by itself,
   * so that the next command sees what a person has put in order. A damaged one is moved aside: the next command begins
   * another.
   */
  fail(thrown: unknown): VmpulseError {
    if (isDamage(thrown)) return this.#replace(errorMessage(thrown));
    const code = errnoOf(thrown);
    if (!passing(code)) this.#shut();
    if (isVmpulseError(thrown)) return thrown;
    return new VmpulseError('ERR_VMPULSE_JOURNAL', describe(this.#options.path, code, errorMessage(thrown)));
  }

  #opened(): JournalStore {
    this.#store ??= this.#open();
    return this.#store;
  }

  #open(): JournalStore {
    try {
      return new JournalStore(this.#options);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const state = this.#moveAside();
      const store = new JournalStore(this.#options);
      store.saveState(state);
      return store;
    }
  }

  /** Puts another journal in place of a damaged one that was in use. Returns what to tell whoever asked. */
  #replace(what: string): VmpulseError {
    this.#shut();
    const { path } = this.#options;
    try {
      const state = this.#moveAside();
      this.#opened().saveState(state);
    } catch (error) {
      this.#shut();
      if (isVmpulseError(error)) return error;
      const why = `${path} is damaged (${what}) and cannot be moved aside: ${errorMessage(error)}`;
      return new VmpulseError('ERR_VMPULSE_JOURNAL', why);
    }
    const aside = damagedBeside(path).at(-1) ?? 'nowhere';
    return new VmpulseError('ERR_VMPULSE_JOURNAL', `${path} was damaged (${what}) and is now ${aside}`);
  }

  /** Returns what of its state can still be read: what persons held, budgets, tokens. */
  #moveAside(): Map<string, string> {
    const { path } = this.#options;
    const state = readableState(path);
    // First of all: whatever becomes of this process, the next one knows that something is lost.
    new JournalMark(path).noteLoss();
    moveAside(path, Date.now());
    return state;
  }

  #shut(): void {
    this.#store?.close();
    this.#store = undefined;
  }
}

/** What no retry mends. */
function isDamage(thrown: unknown): boolean {
  const code = errnoOf(thrown);
  return thrown instanceof JournalDamage || code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB';
}

/** What goes away without opening the file again. */
function passing(code: string): boolean {
  return code === 'SQLITE_FULL' || code.startsWith('SQLITE_BUSY');
}

function describe(path: string, code: string, message: string): string {
  if (code === 'SQLITE_FULL') return `no space left to write ${path}; free some, it is tried again by itself`;
  if (code.startsWith('SQLITE_BUSY'))
    return `${path} is locked by another process; end that one, it is tried again by itself`;
  if (code.startsWith('SQLITE_READONLY') || message.endsWith(': 14")') || code === 'SQLITE_CANTOPEN') {
    return `${path} cannot be opened for writing (${message}); check that its folder exists and who owns it`;
  }
  return `${path}: ${message}${code === '' ? '' : ` (${code})`}`;
}

function serve(port: NonNullable<typeof parentPort>, options: StoreOptions): void {
  const host = new JournalHost(options);
  port.on('message', (request: JournalRequest) => {
    let reply: JournalReply;
    try {
      reply = { id: request.id, ok: true, value: host.handle(request.command) };
    } catch (thrown) {
      const error = host.fail(thrown);
      reply = { id: request.id, ok: false, code: error.code, message: error.message };
    }
    port.postMessage(reply);
    // The thread ends by itself, never from outside: a thread that is ended inside SQLite takes the process with it.
    if (request.command.op === 'close') port.close();
  });
}

if (parentPort) serve(parentPort, workerData);
