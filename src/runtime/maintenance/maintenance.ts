import type { ActionResult, RecoveryAction } from '../../model/action.js';
import type { Clock } from '../../model/clock.js';
import { Deadline } from '../../model/deadline.js';
import { errorMessage } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import type { VmId } from '../../model/vm.js';
import { maintenanceBlockers } from '../../policy/index.js';
import type { PolicyEvent, PolicyState } from '../../policy/types.js';
import { heldByFile } from '../hold-file.js';
import type { Recorder } from '../recorder.js';
import type { MaintenanceResult, MaintenanceView } from '../views.js';
import type { VmUnit } from '../vm-unit.js';
import { type GuestWork, isGuestWork, type RunResult, runInGuest, timeLimitMs } from './guest-run.js';
import { type Slot, Slots } from './slots.js';

const AUTHOR = 'vmpulse';
/** How often what waits is looked at again, ms. */
const RETRY_MS = 10_000;
/** How long after its time a run may still begin where the VM has no windows that say so, ms. */
const LATEST_MS = 3_600_000;
/** Runs in guests of this host at once: they share its disks. */
const MAX_AT_ONCE = 2;
const ERROR_CHARS = 500;
/** The guest that the run was in is not that any more. */
const ENDS_RUN: ReadonlySet<VmmEvent['type']> = new Set([
  'exited',
  'panicked',
  'crash-loaded',
  'watchdog',
  'reset',
  'shutdown',
]);

export interface MaintenanceOptions {
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly units: ReadonlyMap<VmId, VmUnit>;
  readonly state: () => PolicyState;
  readonly post: (event: PolicyEvent) => void;
  readonly holdFile: string | undefined;
  /** Stores how the last runs ended, by key of the entry. Never rejects. */
  readonly save: (last: ReadonlyMap<string, MaintenanceResult>) => Promise<void>;
}

interface Run {
  readonly slot: Slot;
  readonly abort: AbortController;
  /** The policy reboots the guest; this tells how that ended. */
  endRestart?: (result: RunResult) => void;
}

interface Wait {
  readonly rule: string;
  readonly text: string;
}

/**
 * Recurring maintenance: begins what is due on VMs that are well, one run a VM at a time, and records how it ended. A
 * restart is given to the policy, which does it as if a person had scheduled it; anything else runs in the guest, while a
 * hold keeps recovery from taking what it does for a failure.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #slots = new Slots();
  readonly #busy = new Map<VmId, Run>();
  readonly #open = new Set<Promise<void>>();
  #last = new Map<string, MaintenanceResult>();
  #cancelTimer: () => void = () => {};
  #closed = false;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** `last`: how the runs of a former daemon ended. */
  start(last: ReadonlyMap<string, MaintenanceResult>): void {
    this.#last = new Map(last);
    this.sync();
  }

  /** The VMs or their configuration changed. */
  sync(): void {
    const vms = [...this.#options.units.values()].map(({ spec }) => spec);
    this.#slots.sync(vms, this.#options.clock.now());
    this.#arm();
  }

  get list(): readonly MaintenanceView[] {
    return this.#slots.all.map(({ key, vm, entry, nextAtMs, dueAtMs, why, running }) => ({
      vm,
      name: entry.name,
      schedule: entry.schedule,
      does: doesText(entry.do),
      nextAtMs,
      state: running ? 'running' : dueAtMs === null ? 'idle' : 'waiting',
      why: dueAtMs === null ? null : why,
      last: this.#last.get(key) ?? null,
    }));
  }

  /** What ends the guest ends the run in it, and with it the hold: recovery goes on. */
  noteVmmEvent(vm: VmId, { type }: VmmEvent): void {
    const run = this.#busy.get(vm);
    if (run && isGuestWork(run.slot.entry.do) && ENDS_RUN.has(type))
      run.abort.abort(`the guest ended while it ran (${type})`);
  }

  /** An action of the policy ended; it may be a restart of ours. */
  noteAction({ vm, diagnosis, step }: RecoveryAction, result: ActionResult): void {
    if (diagnosis.cause !== 'scheduled') return;
    const isDone = result.result === 'done';
    const text = isDone ? `${step} carried out` : `${step} ${result.result}: ${result.message}`;
    this.#busy
      .get(vm)
      ?.endRestart?.({ result: isDone ? 'done' : 'failed', text: plainText(text, ERROR_CHARS) });
  }

  /** Withdraws what runs; a program in a guest goes on there. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    for (const { abort } of this.#busy.values()) abort.abort('the daemon ends');
    await Promise.all(this.#open);
  }

  #arm(): void {
    this.#cancelTimer();
    if (this.#closed) return;
    const { clock } = this.#options;
    const isOpen = this.#slots.waiting.length > 0 || this.#busy.size > 0;
    const atMs = Math.min(this.#slots.nextMs(), isOpen ? clock.now() + RETRY_MS : Number.POSITIVE_INFINITY);
    if (Number.isFinite(atMs)) this.#cancelTimer = clock.at(atMs, () => this.#tick());
  }

  #tick(): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    for (const slot of this.#slots.comeUp(now)) {
      const text = `maintenance ${slot.entry.name} is due again before it ended; this time is left out`;
      this.#note(slot, text, { result: 'overlap' });
    }
    for (const run of this.#busy.values()) this.#noteWithdrawn(run);
    for (const slot of this.#slots.waiting) this.#tryToBegin(slot, now);
    this.#arm();
  }

  #tryToBegin(slot: Slot, now: number): void {
    const wait = this.#waitsFor(slot, now);
    if (wait === undefined) {
      this.#begin(slot);
      return;
    }
    slot.why = wait.text;
    // Whoever waits only for others is not late by itself.
    if (wait.rule === 'maintenance-queue') return;
    const windows = this.#options.units.get(slot.vm)?.spec.recovery.actionWindows ?? [];
    if (windows.length === 0 && now >= (slot.dueAtMs ?? now) + LATEST_MS) {
      this.#end(slot, { result: 'missed', text: `could not begin within an hour: ${wait.text}` });
      return;
    }
    if (slot.told.has(wait.rule)) return;
    slot.told.add(wait.rule);
    this.#note(slot, `maintenance ${slot.entry.name} waits: ${wait.text}`, { rule: wait.rule });
  }

  #waitsFor({ vm, entry }: Slot, now: number): Wait | undefined {
    const isGuest = isGuestWork(entry.do);
    const file = heldByFile(this.#options.holdFile);
    if (file !== undefined) return { rule: 'hold-file', text: file };
    const other = this.#busy.get(vm);
    if (other) return { rule: 'maintenance-queue', text: `${other.slot.entry.name} of the same VM runs` };
    const [blocker] = maintenanceBlockers(this.#options.state(), vm, isGuest ? 'exec' : 'reboot', now);
    if (blocker) return blocker;
    if (this.#options.units.get(vm)?.session === undefined)
      return { rule: 'not-looked', text: 'there is no session to its VMM' };
    const inGuests = [...this.#busy.values()].filter(({ slot }) => isGuestWork(slot.entry.do)).length;
    if (isGuest && inGuests >= MAX_AT_ONCE)
      return { rule: 'maintenance-queue', text: 'as much maintenance at once on this host as allowed' };
    return undefined;
  }

  #begin(slot: Slot): void {
    const run: Run = { slot, abort: new AbortController() };
    slot.dueAtMs = null;
    slot.running = true;
    this.#busy.set(slot.vm, run);
    const done = this.#carryOut(run).finally(() => this.#open.delete(done));
    this.#open.add(done);
  }

  async #carryOut(run: Run): Promise<void> {
    const { slot, abort } = run;
    const work = slot.entry.do;
    const begun = isGuestWork(work) ? this.#inGuest(run, work) : this.#restart(run);
    const result = await begun.catch((error): RunResult => {
      const why = abort.signal.aborted ? String(abort.signal.reason) : errorMessage(error);
      return { result: 'failed', text: plainText(why, ERROR_CHARS) };
    });
    this.#busy.delete(slot.vm);
    slot.running = false;
    // As with an action that is withdrawn: it has no end.
    if (this.#closed) return;
    this.#end(slot, result);
    this.#tick();
  }

  async #inGuest(run: Run, work: GuestWork): Promise<RunResult> {
    const { clock, units, post, state } = this.#options;
    const { vm, entry } = run.slot;
    const session = units.get(vm)?.session;
    if (session === undefined) return { result: 'failed', text: 'its VMM is gone' };
    const deadlineMs = timeLimitMs(work);
    const reason = `maintenance ${entry.name} runs in the guest`;
    post({ type: 'hold', vm, reason, author: AUTHOR, untilMs: clock.now() + deadlineMs });
    try {
      await this.#recordBegin(run.slot);
      const deadline = new Deadline(
        `maintenance ${entry.name} of ${vm}`,
        { deadlineMs, signal: run.abort.signal },
        clock,
      );
      return await deadline.race(runInGuest(session, work, deadline));
    } finally {
      const hold = state().vms.get(vm)?.hold;
      // A person may have put a hold of their own in its place.
      if (hold?.author === AUTHOR && hold.reason === reason) post({ type: 'unhold', vm, author: AUTHOR });
    }
  }

  async #restart(run: Run): Promise<RunResult> {
    const { vm, entry } = run.slot;
    await this.#recordBegin(run.slot);
    return new Promise((resolve, reject) => {
      run.endRestart = resolve;
      if (run.abort.signal.aborted) reject(run.abort.signal.reason);
      run.abort.signal.addEventListener('abort', () => reject(run.abort.signal.reason), { once: true });
      const reason = `maintenance ${entry.name}`;
      this.#options.post({ type: 'schedule', vm, step: 'reboot', author: AUTHOR, reason });
    });
  }

  /** A person withdrew the restart, or scheduled something else in its place. */
  #noteWithdrawn({ slot, endRestart }: Run): void {
    const vm = this.#options.state().vms.get(slot.vm);
    if (vm?.action || vm?.scheduled?.author === AUTHOR) return;
    endRestart?.({ result: 'skipped', text: 'withdrawn before it was carried out' });
  }

  async #recordBegin({ vm, entry }: Slot): Promise<void> {
    const does = doesText(entry.do);
    await this.#options.recorder.durable({
      vm,
      type: 'operator',
      actionId: null,
      text: `maintenance ${entry.name} begins: ${does}`,
      data: { verb: 'maintenance-run', author: AUTHOR, name: entry.name, does },
    });
  }

  #end(
    slot: Slot,
    { result, text, data }: Omit<MaintenanceResult, 'endedAtMs'> & Pick<RunResult, 'data'>,
  ): void {
    slot.dueAtMs = null;
    slot.why = null;
    slot.told.clear();
    this.#last.set(slot.key, { endedAtMs: this.#options.clock.now(), result, text });
    this.#note(slot, `maintenance ${slot.entry.name} ${result}: ${text}`, { result, ...data });
    const keys = new Set(this.#slots.all.map(({ key }) => key));
    void this.#options.save(new Map([...this.#last].filter(([key]) => keys.has(key))));
  }

  #note({ vm, entry }: Slot, text: string, more: Readonly<Record<string, unknown>>): void {
    const data = { verb: 'maintenance-run', author: AUTHOR, name: entry.name, ...more };
    this.#options.recorder.note({ vm, type: 'operator', actionId: null, text, data });
  }
}

function doesText(work: Slot['entry']['do']): string {
  return typeof work === 'string' ? work : plainText(work.command.join(' '));
}
