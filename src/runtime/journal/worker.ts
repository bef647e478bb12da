import { parentPort, workerData } from 'node:worker_threads';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { JournalCommand, JournalOp, JournalReply, JournalRequest, JournalResults } from './protocol.js';
import { damaged, JournalStore, type StoreOptions } from './store.js';

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
        return this.#opened().isAnother;
      case 'append':
        this.#opened().append(command.batch, command.rows);
        return this.#opened().isAnother;
      case 'read':
        return this.#opened().read(command.query);
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
   * so that the next command sees what a person has put in order.
   */
  fail(thrown: unknown): VmpulseError {
    const sqlite = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    if (!passing(sqlite)) this.#shut();
    if (isVmpulseError(thrown)) return thrown;
    return new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      describe(this.#options.path, sqlite, errorMessage(thrown)),
    );
  }

  #opened(): JournalStore {
    this.#store ??= new JournalStore(this.#options);
    return this.#store;
  }

  #shut(): void {
    this.#store?.close();
    this.#store = undefined;
  }
}

/** What goes away without opening the file again. */
function passing(code: string): boolean {
  return code === 'SQLITE_FULL' || code.startsWith('SQLITE_BUSY');
}

function describe(path: string, code: string, message: string): string {
  if (code === 'SQLITE_FULL') return `no space left to write ${path}; free some, it is tried again by itself`;
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') return damaged(path, message);
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
