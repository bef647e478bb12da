import { Deadline } from '../model/deadline.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { Driver, VmmSession } from '../model/ports.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { ActVerb } from '../policy/index.js';
import type { PolicyEvent } from '../policy/types.js';
import type { HookPort } from './hooks/hook-views.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

/** What a person wants done to a VM. */
export interface ActRequest {
  readonly vm: VmId;
  readonly verb: ActVerb;
  /** Names it in the journal; the same again takes up what a daemon that died had begun. */
  readonly id: string;
  readonly author: string;
  readonly reason: string;
  /** For all of it, and the wait for what is in flight. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** The VM, as whoever carries an act out has it. */
export interface ActTarget {
  readonly spec: VmSpec;
  readonly driver: Driver;
  /** Undefined: no VMM runs, or none could be attached to. */
  session(): VmmSession | undefined;
  /** Finds the VMM and attaches to it, or learns that there is none. `fresh`: one found has just been started. */
  look(fresh: boolean): Promise<void>;
  /** Runs the pre-start hooks, once however often it is called. Throws ERR_VMPULSE_HOOK when they do not want a start. */
  beforeStart(deadline: Deadline): Promise<void>;
  /** Runs the pre-stop hooks; a stop goes on whatever becomes of them. */
  beforeStop(deadline: Deadline): Promise<void>;
}

/** Resolves with what was done, in a few words for a person. */
export type ActWork = (target: ActTarget, deadline: Deadline) => Promise<string>;

export interface PersonActsOptions {
  readonly units: ReadonlyMap<VmId, VmUnit>;
  readonly recorder: Recorder;
  readonly now: () => number;
  readonly post: (event: PolicyEvent) => void;
  readonly look: (unit: VmUnit, fresh: boolean) => Promise<void>;
  /** Stores the policy's state of a VM, so that the next daemon knows of the act. */
  readonly persist: (vm: VmId) => Promise<void>;
  /** Asked before a VMM is started or stopped; unset: nobody is. */
  readonly hooks: HookPort | undefined;
}

/** An act that is not heard of for so long after its deadline belonged to a daemon that died. */
const LOST_MS = 60_000;

/** Carries out what persons want, each when the policy lets it: one a VM at a time, and never beside a recovery. */
export class PersonActs {
  readonly #options: PersonActsOptions;
  readonly #abort = new AbortController();
  readonly #granted = new Map<string, () => void>();
  readonly #last = new Map<VmId, Promise<unknown>>();

  constructor(options: PersonActsOptions) {
    this.#options = options;
  }

  /** The policy lets the act begin. */
  grant(id: string): void {
    this.#granted.get(id)?.();
  }

  /**
   * Errors: those of the work, ERR_VMPULSE_VM_UNKNOWN, ERR_VMPULSE_TIMEOUT, ERR_VMPULSE_JOURNAL when it cannot be recorded, and
   * ERR_VMPULSE_ABORTED when this or the signal ends it first; then the policy waits for whoever takes it up, until the
   * deadline is over.
   */
  run(request: ActRequest, work: ActWork): Promise<string> {
    const { vm } = request;
    const done = (this.#last.get(vm) ?? Promise.resolve()).then(() => this.#carryOut(request, work));
    const settled = done.catch(() => {});
    this.#last.set(vm, settled);
    void settled.then(() => {
      if (this.#last.get(vm) === settled) this.#last.delete(vm);
    });
    return done;
  }

  /** Withdraws what runs, and waits for it. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#last.values());
  }

  async #carryOut(request: ActRequest, work: ActWork): Promise<string> {
    const { vm, verb, id, deadlineMs, signal } = request;
    const unit = this.#options.units.get(vm);
    if (!unit) throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM ${vm} is watched`);
    const signals = signal === undefined ? [this.#abort.signal] : [this.#abort.signal, signal];
    const withdrawn = AbortSignal.any(signals);
    const deadline = new Deadline(`${verb} of ${vm}`, { deadlineMs, signal: withdrawn });
    try {
      await this.#begin(request, deadline);
      const text = plainText(await deadline.race(work(this.#target(unit, request), deadline)), 500);
      await this.#end(request, true, text);
      return text;
    } catch (error) {
      // Whoever takes it up after this daemon tells how it ended.
      if (!withdrawn.aborted) await this.#end(request, false, plainText(errorMessage(error), 2000));
      throw error;
    } finally {
      this.#granted.delete(id);
    }
  }

  async #begin(request: ActRequest, deadline: Deadline): Promise<void> {
    const { vm, verb, id, author, reason, deadlineMs } = request;
    const { post, now, persist, recorder } = this.#options;
    deadline.check();
    const granted = new Promise<void>((resolve) => this.#granted.set(id, resolve));
    post({ type: 'act', vm, act: { id, verb, author, reason, untilMs: now() + deadlineMs + LOST_MS } });
    await deadline.race(granted);
    await deadline.race(persist(vm));
    await deadline.race(
      recorder.durable({
        vm,
        type: 'operator',
        actionId: id,
        text: `${verb} for ${author} begins: ${reason}`,
        data: { verb, author, reason, phase: 'begin' },
      }),
    );
  }

  async #end({ vm, verb, id, author }: ActRequest, done: boolean, text: string): Promise<void> {
    const { post, persist, recorder, units } = this.#options;
    recorder.note({
      vm,
      type: 'operator',
      actionId: id,
      text: `${verb} for ${author} ${done ? 'done' : 'failed'}: ${text}`,
      data: { verb, author, phase: 'end', result: done ? 'done' : 'failed', text },
    });
    if (!units.has(vm)) return;
    post({ type: 'act-ended', vm, id, done, text });
    await persist(vm).catch(() => {});
  }

  #target(unit: VmUnit, { verb, author, reason, id }: ActRequest): ActTarget {
    const { hooks } = this.#options;
    const why = { reason: `${verb} for ${author}`, detail: reason, actionId: id };
    let asked: Promise<string | undefined> | undefined;
    return {
      spec: unit.spec,
      driver: unit.driver,
      session: () => unit.session,
      look: (fresh) => this.#options.look(unit, fresh),
      beforeStart: async (deadline) => {
        asked ??= hooks?.beforeStart(unit.spec, why, signalOf(deadline));
        const refused = await asked;
        deadline.check();
        if (refused !== undefined)
          throw new VmpulseError('ERR_VMPULSE_HOOK', `${unit.spec.id} is not started: ${refused}`);
      },
      beforeStop: async (deadline) => {
        await hooks?.beforeStop(unit.spec, why, signalOf(deadline));
      },
    };
  }
}

function signalOf(deadline: Deadline): AbortSignal {
  const { deadlineMs, signal } = deadline.step();
  const late = AbortSignal.timeout(deadlineMs);
  return signal === undefined ? late : AbortSignal.any([late, signal]);
}
