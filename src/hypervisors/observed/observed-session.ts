import { VmpulseError } from '../../model/errors.js';
import type { CapturedEvidence, VmmSession } from '../../model/ports.js';
import type { ProcessIdentity } from '../../model/vm.js';
import type { ProcessHandle } from '../host.js';
import { livingState, startedAtMs } from '../process.js';

/** The attachment to a VMM of somebody else: its pidfd, and nothing more. */
export class ObservedSession implements VmmSession {
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  readonly #vm: string;
  readonly #handle: ProcessHandle;

  /** Owns the handle from here on. */
  constructor(vm: string, process: ProcessIdentity, handle: ProcessHandle) {
    this.#vm = vm;
    this.#handle = handle;
    this.process = process;
    this.startedAtMs = startedAtMs(process.startTimeTicks);
  }

  get pidfd(): number | undefined {
    return this.#handle.fd;
  }

  /** Nobody tells of anything but the process, which the engine watches. */
  onEvent(): void {}

  /** As far as the process shows it: one that lives is taken to run. */
  async status(): Promise<string> {
    if (livingState(this.process) !== undefined) return 'running';
    const text = `status of ${this.#vm}: its VMM, process ${this.process.pid}, has ended`;
    throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', text);
  }

  async capture(): Promise<CapturedEvidence> {
    return { consoleTail: '', status: '', files: [] };
  }

  reset(): Promise<void> {
    return this.#refuse('reset');
  }

  reboot(): Promise<void> {
    return this.#refuse('reboot');
  }

  pause(): Promise<void> {
    return this.#refuse('pause');
  }

  resume(): Promise<void> {
    return this.#refuse('resume');
  }

  continueProcess(): Promise<void> {
    return this.#refuse('SIGCONT');
  }

  stop(): Promise<void> {
    return this.#refuse('stop');
  }

  exec(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    return this.#refuse('guest command');
  }

  async detach(): Promise<void> {
    this.#handle.close();
  }

  async #refuse(what: string): Promise<never> {
    const text = `${what} of ${this.#vm}: it is only observed, and somebody else's to act on`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
}
