import { Deadline } from '../model/deadline.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { GuestCommandResult, GuestResources, ToldAddress } from '../model/guest.js';
import type { CallOptions, MemoryChange, VmmSession } from '../model/ports.js';
import { whyStanding } from '../model/run-state.js';
import type { VmId } from '../model/vm.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

/** Commands of persons that run in guests at once; further ones are refused. */
const MAX_COMMANDS = 32;
/** What the journal keeps of one argument, and how many of them. */
const MAX_SHOWN_CHARS = 300;
/** For the question whether the guest runs; one that is not answered in time keeps nobody from trying. */
const STATUS_MS = 2_000;

export interface GuestCommandRequest extends CallOptions {
  readonly vm: VmId;
  readonly argv: readonly string[];
  readonly input?: string | undefined;
  readonly author: string;
}

/** Where the serial console of a VM is. */
export interface ConsoleView {
  readonly vm: VmId;
  /** Unix socket that gives and takes what the console does, for one client at a time. */
  readonly socket: string;
  /** What was written so far. */
  readonly log: string | null;
}

/** What persons do in guests. */
export interface GuestApi {
  /**
   * Runs argv in the guest through its agent, once that is on record. Rejects with ERR_VMPULSE_VM_NOT_RUNNING, also where
   * the guest stands still (paused, panicked), ERR_VMPULSE_UNSUPPORTED without an agent, ERR_VMPULSE_COMMAND when the guest does not allow it, ERR_VMPULSE_JOURNAL.
   */
  exec(request: GuestCommandRequest): Promise<GuestCommandResult>;
  stats(vm: VmId, options: CallOptions): Promise<GuestResources>;
  /** Where the guest says that it is reached; nothing where it cannot be asked now. */
  addresses(vm: VmId, options: CallOptions): Promise<readonly ToldAddress[]>;
  /** Gives the running VM more memory; resolves with what it then has, MiB. ERR_VMPULSE_UNSUPPORTED where that is impossible. */
  resize(vm: VmId, change: MemoryChange, author: string, options: CallOptions): Promise<number>;
  /** Says where the console is, and records who asked. */
  console(vm: VmId, author: string): Promise<ConsoleView>;
}

/** What lets a guest go on; nothing where whoever stopped it has to say so, or it is about to go on. */
const REMEDIES: Readonly<Record<string, 'resume' | 'reset'>> = {
  paused: 'resume',
  'io-error': 'resume',
  prelaunch: 'resume',
  'guest-panicked': 'reset',
  watchdog: 'reset',
  shutdown: 'reset',
  'internal-error': 'reset',
};

function remedyOf(status: string, vm: VmId): string {
  const verb = Object.hasOwn(REMEDIES, status) ? REMEDIES[status] : undefined;
  return verb === undefined ? '' : `; vmpulse vm ${verb} ${vm}`;
}

export class Guests implements GuestApi {
  readonly #unitOf: (vm: VmId) => Pick<VmUnit, 'session'>;
  readonly #recorder: Pick<Recorder, 'durable' | 'note'>;
  #running = 0;

  /** `unitOf` throws ERR_VMPULSE_VM_UNKNOWN. */
  constructor(unitOf: (vm: VmId) => Pick<VmUnit, 'session'>, recorder: Pick<Recorder, 'durable' | 'note'>) {
    this.#unitOf = unitOf;
    this.#recorder = recorder;
  }

  async exec(request: GuestCommandRequest): Promise<GuestCommandResult> {
    const { vm, argv, input, author, ...options } = request;
    const deadline = new Deadline(`the command in the guest of ${vm}`, options);
    const session = await this.#moving(vm, deadline);
    if (this.#running >= MAX_COMMANDS) {
      const text = `${MAX_COMMANDS} commands run in guests already; wait for one to end`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    this.#running += 1;
    try {
      const shown = argv.join(' ').slice(0, MAX_SHOWN_CHARS);
      const inputBytes = Buffer.byteLength(input ?? '');
      const begun = { verb: 'exec', author, argv, inputBytes };
      deadline.check();
      const onRecord = this.#record(vm, `${author} runs in the guest of ${vm}: ${shown}`, begun);
      // What a slow disk takes is of the same time; what was recorded as begun has an end in any case.
      const run = async () => {
        await deadline.race(onRecord);
        return session.exec(argv, { ...deadline.step(), ...given({ input }) });
      };
      const result = await run().catch((error: unknown) => {
        this.#note(vm, `the command of ${author} in the guest did not end well: ${errorMessage(error)}`, {
          verb: 'exec-end',
          author,
        });
        throw error;
      });
      const { exitCode } = result;
      this.#note(vm, `the command of ${author} in the guest ended with status ${exitCode}`, {
        verb: 'exec-end',
        author,
        exitCode,
      });
      return result;
    } finally {
      this.#running -= 1;
    }
  }

  async stats(vm: VmId, options: CallOptions): Promise<GuestResources> {
    const deadline = new Deadline(`the question for the resources of ${vm}`, options);
    const session = await this.#moving(vm, deadline);
    if (session.resources !== undefined) return session.resources(deadline.step());
    throw new VmpulseError(
      'ERR_VMPULSE_UNSUPPORTED',
      `the driver of ${vm} cannot ask its guest for resources`,
    );
  }

  async addresses(vm: VmId, options: CallOptions): Promise<readonly ToldAddress[]> {
    const { session } = this.#unitOf(vm);
    if (session?.addresses === undefined) return [];
    // libvirt is the one client of its agents, and says itself whether one answers.
    const isReached = session.agent?.connected ?? session.pingAgent !== undefined;
    return isReached ? session.addresses(options) : [];
  }

  async resize(vm: VmId, change: MemoryChange, author: string, options: CallOptions): Promise<number> {
    const session = this.#session(vm);
    if (session.resizeMemory === undefined) {
      const text = `the driver of ${vm} cannot change its memory while it runs; change memory and restart it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    const asked = `${change.relative ? 'by' : 'to'} ${change.mib} MiB`;
    await this.#record(vm, `${author} resizes ${vm} ${asked}`, { verb: 'resize', author, ...change });
    const memoryMiB = await session.resizeMemory(change, options).catch((error: unknown) => {
      this.#note(vm, `${vm} was not resized: ${errorMessage(error)}`, { verb: 'resize-end', author });
      throw error;
    });
    this.#note(vm, `${vm} has ${memoryMiB} MiB`, { verb: 'resize-end', author, memoryMiB });
    return memoryMiB;
  }

  async console(vm: VmId, author: string): Promise<ConsoleView> {
    const { consoleSocket, consoleLog } = this.#session(vm);
    if (consoleSocket === undefined) {
      const text = `the console of ${vm} is no socket of vmpulse's; an adopted VM, or one started before, has only its log`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    await this.#record(vm, `${author} opens the console of ${vm}`, { verb: 'console', author });
    return { vm, socket: consoleSocket, log: consoleLog ?? null };
  }

  /** The session of a guest that can answer: nobody is to wait for one that stands still. */
  async #moving(vm: VmId, deadline: Deadline): Promise<VmmSession> {
    const session = this.#session(vm);
    const status = await session.status(deadline.step(STATUS_MS)).catch(() => undefined);
    const why = status === undefined ? undefined : whyStanding(status);
    if (status === undefined || why === undefined) return session;
    const text = `the guest of ${vm} stands still (${status}: ${why}) and can answer nothing${remedyOf(status, vm)}`;
    throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', text);
  }

  #session(vm: VmId): VmmSession {
    const { session } = this.#unitOf(vm);
    if (session !== undefined) return session;
    throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${vm} does not run`);
  }

  #record(vm: VmId, text: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#recorder.durable({ vm, type: 'operator', actionId: null, text, data });
  }

  #note(vm: VmId, text: string, data: Readonly<Record<string, unknown>>): void {
    this.#recorder.note({ vm, type: 'operator', actionId: null, text, data });
  }
}
