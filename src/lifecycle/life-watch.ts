import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../model/clock.js';
import { errorMessage, isVmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { LifeState } from '../runtime/life-state.js';
import type { RuntimeEvent, VmView } from '../runtime/views.js';
import { type CommandLine, VmFolder } from './vm-folder.js';

/** What is watched. */
export interface LifeSource {
  viewVm(vm: VmId): VmView;
  spec(vm: VmId): VmSpec;
  specs(): readonly VmSpec[];
  events(options: { readonly signal: AbortSignal }): AsyncIterableIterator<RuntimeEvent>;
  degrade(what: string, why: string): void;
  mend(what: string): void;
}

export interface LifeWatchOptions {
  readonly source: LifeSource;
  readonly stateDir: string;
  readonly runDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known {
  state: LifeState;
  sinceMs: number;
  written: string;
}

const SWEEP_MS = 5_000;
const VMS_A_TURN = 50;
const SLACK_MS = 60_000;

/** Keeps each VM's folder as its life goes, and tells of VMs that do not get on. */
export class LifeWatch {
  readonly #options: LifeWatchOptions;
  readonly #abort = new AbortController();
  readonly #known = new Map<VmId, Known>();
  #work: Promise<void> = Promise.resolve();
  #pump: Promise<void> = Promise.resolve();
  #cancelSweep: () => void = () => {};

  constructor(options: LifeWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { source } = this.#options;
    this.#pump = this.#follow(source.events({ signal: this.#abort.signal }));
    this.#sweep();
  }

  folder(vm: VmId): VmFolder {
    const { stateDir, runDir } = this.#options;
    return new VmFolder(stateDir, runDir, vm);
  }

  /** Says in its folder that the VM is being made. */
  async creating(vm: VmId): Promise<void> {
    const since = new Date(this.#options.clock.now()).toISOString();
    await this.folder(vm).write({ id: vm, state: 'CREATING', since, pid: null });
  }

  /** Nothing of the VM is written any more. Resolves once nothing is being written. */
  async forget(vm: VmId): Promise<void> {
    this.#known.delete(vm);
    this.#options.source.mend(`stuck/${vm}`);
    await this.#work;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#cancelSweep();
    await this.#pump;
    await this.#work;
  }

  async #follow(events: AsyncIterableIterator<RuntimeEvent>): Promise<void> {
    for await (const event of events) {
      if (event.vm === null) continue;
      this.#later(event.vm, commandOf(event));
    }
  }

  /** Those of which no event tells: a rule's time was over, a document changed. */
  #sweep(): void {
    const { source, clock } = this.#options;
    for (const [index, { id }] of source.specs().entries()) {
      this.#later(id, undefined);
      // What changed nothing waits for nothing: the loop of a large host must come round meanwhile.
      if (index % VMS_A_TURN === VMS_A_TURN - 1) this.#work = this.#work.then(() => nextTurn());
    }
    this.#cancelSweep = clock.at(clock.now() + SWEEP_MS, () => this.#sweep());
  }

  #later(vm: VmId, command: CommandLine | undefined): void {
    this.#work = this.#work
      .then(() => this.#note(vm, command))
      .catch((error: unknown) => {
        this.#options.source.degrade(
          'vm-folders',
          `the folder of ${vm} cannot be written: ${errorMessage(error)}`,
        );
      });
  }

  async #note(vm: VmId, command: CommandLine | undefined): Promise<void> {
    const view = this.#viewOf(vm);
    if (!view) {
      if (this.#known.delete(vm)) this.#options.source.mend(`stuck/${vm}`);
      return;
    }
    const known = await this.#changed(vm, view);
    this.#tellStuck(vm, known);
    const folder = this.folder(vm);
    if (command) await folder.log([command]);
    const { uuid, hypervisor } = this.#options.source.spec(vm);
    const taps = hypervisor.interfaces.flatMap((network) => (network.type === 'tap' ? [network.device] : []));
    const state = {
      id: vm,
      uuid,
      state: known.state,
      since: new Date(known.sinceMs).toISOString(),
      driver: hypervisor.driver,
      pid: view.vmm?.pid ?? null,
      startedAt: view.vmm ? new Date(view.vmm.startedAtMs).toISOString() : null,
      health: view.health,
      note: view.note,
      taps,
      tap_name: taps[0] ?? null,
      disks: hypervisor.disks.map(({ path }) => path),
    };
    const text = JSON.stringify(state);
    if (text === known.written) return;
    await folder.write(state);
    known.written = text;
  }

  async #changed(vm: VmId, { lifeState }: VmView): Promise<Known> {
    const nowMs = this.#options.clock.now();
    const known = this.#known.get(vm);
    if (!known) {
      await this.folder(vm).prepare(this.#options.source.spec(vm));
      const fresh = { state: lifeState, sinceMs: nowMs, written: '' };
      this.#known.set(vm, fresh);
      return fresh;
    }
    if (known.state === lifeState) return known;
    known.state = lifeState;
    known.sinceMs = nowMs;
    this.#options.source.mend(`stuck/${vm}`);
    return known;
  }

  #tellStuck(vm: VmId, { state, sinceMs }: Known): void {
    const { source, clock } = this.#options;
    const limitMs = limitOf(state, source.spec(vm));
    if (limitMs === null || clock.now() < sinceMs + limitMs) return;
    const text = `${vm} is ${state} since ${new Date(sinceMs).toISOString()}, longer than ${Math.round(limitMs / 1000)} s; vmpulse explain says what it waits for`;
    source.degrade(`stuck/${vm}`, text);
  }

  #viewOf(vm: VmId): VmView | undefined {
    try {
      return this.#options.source.viewVm(vm);
    } catch (error) {
      if (isVmpulseError(error, 'ERR_VMPULSE_VM_UNKNOWN')) return undefined;
      throw error;
    }
  }
}

/** How long a VM may be in a state that is to pass, ms; null: as long as it likes. */
export function limitOf(state: LifeState, { recovery }: Pick<VmSpec, 'recovery'>): number | null {
  switch (state) {
    case 'PENDING':
    case 'CREATING':
      return 600_000;
    case 'STARTING':
      return Math.max(recovery.stepTimeoutMs, 120_000) + SLACK_MS;
    case 'STOPPING':
    case 'DELETING':
      return recovery.gracefulStopMs + 60_000 + SLACK_MS;
    default:
      return null;
  }
}

/** A line of `commands.log`, of what persons and automation do. */
function commandOf({ type, atMs, text, data }: RuntimeEvent): CommandLine | undefined {
  if (type === 'operator') {
    const author = typeof data.author === 'string' ? data.author : 'somebody';
    const verb = typeof data.verb === 'string' ? data.verb : 'command';
    return { atMs, author, command: verb, result: data.phase === 'begin' ? 'begins' : text };
  }
  if (type !== 'action-start' && type !== 'action-end') return undefined;
  const step = typeof data.step === 'string' ? data.step : 'action';
  return { atMs, author: 'vmpulse', command: step, result: text };
}
