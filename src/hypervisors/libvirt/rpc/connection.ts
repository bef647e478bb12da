import { createConnection, type Socket } from 'node:net';
import { Deadline } from '../../../model/deadline.js';
import { errnoOf, errorMessage, isMissingFile, isVmpulseError, VmpulseError } from '../../../model/errors.js';
import { encodeCall, type Packet, PacketDecoder, type Program } from './packet.js';
import { readRemoteError } from './remote-error.js';
import type { XdrReader } from './xdr.js';

/** A libvirt that accepts and says nothing for so long hangs, or has no place for another client. */
const GREETING_MS = 2_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 3_200;
/** Nobody waits for it; a daemon that hangs by then is left without. */
const FAREWELL_MS = 1_000;
/** How long a greeting that libvirt is in the middle of may take to end before its socket goes nevertheless. */
const LINGER_MS = 30_000;
/** libvirt reads no further from a client that has five requests open; before that a new connection is made. */
const MAX_OVERDUE = 3;

export type ConnectionState =
  | { readonly state: 'connected' }
  | { readonly state: 'busy' | 'lost' | 'foreign'; readonly why: string };

export interface ConnectionOptions {
  /** Where the daemon may listen, the likeliest first; looked for at each attempt. */
  readonly sockets: readonly string[];
  /** Calls that make a connection of it (authentication, open, events); ends within a deadline, or throws. */
  readonly greet: (call: Call, deadline: Deadline) => Promise<void>;
  /** Calls that take back what `greet` has asked for, before the connection is closed. */
  readonly farewell: (call: Call, deadline: Deadline) => Promise<void>;
  readonly onState: (state: ConnectionState) => void;
  readonly onMessage: (procedure: number, body: XdrReader) => void;
}

/** One call; resolves with its result. */
export type Call = (request: Request, deadline: Deadline) => Promise<XdrReader>;

export interface Request {
  /** For messages, for example `reset`. */
  readonly what: string;
  readonly program: Program;
  readonly procedure: number;
  readonly args: Buffer;
}

interface Pending {
  readonly what: string;
  readonly settle: (result: XdrReader | VmpulseError) => void;
  /** Nobody waits any more; libvirt still owes the answer. */
  overdue: boolean;
}

/**
 * A connection to libvirt's daemon that lasts: it connects again by itself until it is closed. A daemon that hangs costs a
 * call its deadline and no more.
 */
export class LibvirtConnection {
  readonly #options: ConnectionOptions;
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #serial = 0;
  #isClosed = false;
  #isReady = false;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  /** The attempt under way, or the last one. */
  #attempt: Promise<void>;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#attempt = this.#connect();
  }

  /**
   * Sends one call once the connection stands. Throws ERR_VMPULSE_CHANNEL where it cannot be made or was lost (what was
   * asked may then have been done), ERR_VMPULSE_TIMEOUT, ERR_VMPULSE_COMMAND and others as libvirt answers.
   */
  readonly call: Call = async (request, deadline) => {
    if (this.#isClosed) throw closed(`${request.what}: the connection`);
    if (!this.#isReady) await deadline.race(this.#attempt);
    return this.#send(request, deadline);
  };

  /** Idempotent. What is under way ends with ERR_VMPULSE_CLOSED. The socket goes once libvirt has been told, or soon. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const hangs = [...this.#pending.values()].some(({ overdue }) => overdue);
    const mayLeave = this.#isReady && !hangs;
    this.#settleAll(closed('the connection to libvirt'));
    if (mayLeave) void this.#leave();
    else this.#end(closed('the connection to libvirt'));
  }

  async #leave(): Promise<void> {
    const deadline = new Deadline('the farewell', { deadlineMs: FAREWELL_MS });
    try {
      await this.#options.farewell((request, within) => this.#send(request, within), deadline);
    } catch {
      // libvirt finds out by the end of the connection.
    } finally {
      this.#end(closed('the connection to libvirt'));
    }
  }

  #connect(): Promise<void> {
    const attempt = this.#greeted();
    // Whoever calls meanwhile hears of it.
    attempt.catch(() => {});
    return attempt;
  }

  async #greeted(): Promise<void> {
    const { greet, onState } = this.#options;
    const deadline = new Deadline(`the greeting of ${this.#where}`, { deadlineMs: GREETING_MS });
    const socket = await this.#open();
    try {
      await greet((request, within) => this.#send(request, within), deadline);
      if (this.#socket !== socket) throw this.#unreachable('it ended the connection');
      this.#isReady = true;
      this.#retryMs = FIRST_RETRY_MS;
      onState({ state: 'connected' });
    } catch (error) {
      const isLate = isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT');
      const reason = isLate ? 'it accepts and does not answer' : errorMessage(error);
      const problem = isVmpulseError(error, 'ERR_VMPULSE_CHANNEL') ? error : this.#unreachable(reason);
      // Unless its end was noticed before.
      if (this.#socket === socket) this.#drop(isLate ? 'busy' : 'lost', problem);
      throw problem;
    }
  }

  /** The first socket behind which somebody listens: a daemon may start later than vmpulse, or in another's stead. */
  async #open(): Promise<Socket> {
    let failure: unknown;
    for (const path of this.#options.sockets) {
      if (this.#isClosed) break;
      const socket = createConnection(path);
      this.#socket = socket;
      try {
        await connected(socket);
        this.#listen(socket);
        return socket;
      } catch (error) {
        // A file without a daemon behind it says more than one that is not there.
        if (failure === undefined || !isMissingFile(error)) failure = error;
        if (!['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error))) break;
      }
    }
    if (this.#isClosed) throw closed('the connection to libvirt');
    const problem = this.#unreachable(errorMessage(failure));
    this.#drop('lost', problem);
    throw problem;
  }

  #listen(socket: Socket): void {
    const decoder = new PacketDecoder();
    const isCurrent = () => this.#socket === socket;
    const lost = (why: string) => {
      if (isCurrent()) this.#drop('lost', this.#unreachable(why));
    };
    socket.on('error', (error) => lost(error.message));
    socket.on('close', () => lost('it ended the connection'));
    socket.on('data', (chunk) => {
      try {
        // One by one: what came whole before something that cannot be read is still heard.
        for (const packet of decoder.push(chunk)) if (isCurrent()) this.#onPacket(packet);
      } catch (error) {
        const problem = isVmpulseError(error) ? error : this.#unreachable(errorMessage(error));
        if (isCurrent()) this.#drop('foreign', problem);
      }
    });
  }

  #onPacket(packet: Packet): void {
    if (packet.type === 'message' && !this.#isClosed) this.#options.onMessage(packet.procedure, packet.body);
    if (packet.type !== 'reply') return;
    const pending = this.#pending.get(packet.serial);
    if (pending === undefined) return;
    this.#pending.delete(packet.serial);
    pending.settle(packet.isError ? remoteErrorOf(packet.body, pending.what) : packet.body);
  }

  async #send({ what, program, procedure, args }: Request, deadline: Deadline): Promise<XdrReader> {
    deadline.check();
    const socket = this.#socket;
    if (socket === undefined) throw this.#unreachable('there is no connection');
    this.#serial += 1;
    const serial = this.#serial;
    const answer = new Promise<XdrReader>((resolve, reject) => {
      const settle = (result: XdrReader | VmpulseError) =>
        result instanceof VmpulseError ? reject(result) : resolve(result);
      this.#pending.set(serial, { what, settle, overdue: false });
      socket.write(encodeCall(program, procedure, serial, args));
    });
    answer.catch(() => {});
    try {
      return await deadline.race(answer);
    } finally {
      this.#giveUp(serial, socket);
    }
  }

  /** Notes a call that nobody waits for any more; too many of them end the connection, and a new one is made. */
  #giveUp(serial: number, socket: Socket): void {
    const pending = this.#pending.get(serial);
    if (pending === undefined) return;
    pending.overdue = true;
    const overdue = [...this.#pending.values()].filter((one) => one.overdue).length;
    if (overdue >= MAX_OVERDUE && this.#socket === socket && this.#isReady)
      this.#drop('lost', this.#unreachable(`it owes ${overdue} answers`));
  }

  #drop(state: 'busy' | 'lost' | 'foreign', problem: VmpulseError): void {
    if (this.#isClosed) return;
    this.#end(problem);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#attempt = this.#connect();
    }, this.#retryMs);
    this.#retry.unref();
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
    this.#options.onState({ state, why: problem.message });
  }

  #end(problem: VmpulseError): void {
    const socket = this.#socket;
    const isGreeted = this.#isReady;
    this.#socket = undefined;
    this.#isReady = false;
    if (isGreeted) socket?.destroy();
    else if (socket !== undefined) letGo(socket);
    this.#settleAll(problem);
  }

  #settleAll(problem: VmpulseError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { settle } of pending) settle(problem);
  }

  get #where(): string {
    return this.#options.sockets.join(' or ');
  }

  #unreachable(why: string): VmpulseError {
    return new VmpulseError('ERR_VMPULSE_CHANNEL', `libvirt at ${this.#where}: ${why}`);
  }
}

/**
 * Ends a connection that was not greeted yet. libvirtd 9.0 crashes when a client is gone before the registration of its events
 * is carried out, and with it all of its clients lose their daemon: the answer to what was asked last is waited for.
 */
function letGo(socket: Socket): void {
  if (socket.connecting || socket.destroyed) {
    socket.destroy();
    return;
  }
  const late = setTimeout(() => socket.destroy(), LINGER_MS);
  late.unref();
  socket.unref();
  const decoder = new PacketDecoder();
  socket.on('data', (chunk) => {
    try {
      // An event may come before the answer.
      for (const { type } of decoder.push(chunk)) if (type === 'reply') socket.destroy();
    } catch {
      // It began in the middle of a packet: the time above ends it.
    }
  });
  socket.once('close', () => clearTimeout(late));
}

function closed(what: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CLOSED', `${what} was closed`);
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('it ended the connection')));
  });
}

/** Whoever asked hears of an answer, also of one that cannot be read. */
function remoteErrorOf(body: XdrReader, what: string): VmpulseError {
  try {
    return readRemoteError(body, what);
  } catch (error) {
    return isVmpulseError(error) ? error : new VmpulseError('ERR_VMPULSE_CHANNEL', errorMessage(error));
  }
}
