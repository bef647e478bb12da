import type { EngineEvent, Transition } from '../engine/probe-engine.js';
import { errorMessage } from '../model/errors.js';
import { given } from '../model/given.js';
import type { VmmEvent } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { ProbeTarget } from './probe-target.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

export interface EngineEventsOptions {
  readonly units: ReadonlyMap<VmId, VmUnit>;
  /** By their handle in the engine. */
  readonly targets: ReadonlyMap<number, ProbeTarget>;
  readonly recorder: Recorder;
  /** The kernel has just ended some process for want of memory. */
  readonly hasJustKilled: () => boolean;
  readonly post: (event: PolicyEvent) => void;
  readonly onVmmEvent: (unit: VmUnit, event: VmmEvent, atMs: number) => void;
  /** A probe has changed its state. */
  readonly onChange: () => void;
  readonly degrade: (what: string, why: string) => void;
}

/** Hears the engine: tells journal and policy of every change, and has probes answered that run outside it. */
export class EngineEvents {
  readonly #options: EngineEventsOptions;
  #pump: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(options: EngineEventsOptions) {
    this.#options = options;
  }

  /** Nothing is heard any more. */
  get ended(): boolean {
    return this.#ended;
  }

  start(batches: AsyncIterableIterator<readonly EngineEvent[]>): void {
    this.#pump = this.#hear(batches);
  }

  /** Resolves with the last event, after what was given to start() has ended. */
  settled(): Promise<void> {
    return this.#pump;
  }

  async #hear(batches: AsyncIterableIterator<readonly EngineEvent[]>): Promise<void> {
    for await (const batch of batches) {
      for (const event of batch) {
        const target = this.#options.targets.get(event.handle);
        if (target === undefined) continue;
        if (event.type === 'transition') this.#onTransition(target, event);
        else void target.answer(event);
      }
    }
    this.#ended = true;
  }

  #onTransition(target: ProbeTarget, transition: Transition): void {
    const { post, onChange } = this.#options;
    onChange();
    const { to, reason, atMs, streakStartMs, lastOkMs, count } = transition;
    this.#record(target, transition);
    post({
      type: 'probe',
      vm: target.vm,
      probe: target.spec.name,
      state: to,
      ...given({ reason }),
      atMs,
      streakStartMs,
      lastOkMs,
      count,
    });
    if (reason === 'process-gone' && to === 'failed') this.#onExit(target, atMs);
  }

  #onExit(target: ProbeTarget, atMs: number): void {
    const { units, hasJustKilled, onVmmEvent, degrade } = this.#options;
    const unit = units.get(target.vm);
    // A unit that is being let go of may have targets for a moment; whoever watches the VM now has its own.
    if (unit?.probes.get(target.spec.name) !== target) return;
    if (hasJustKilled()) onVmmEvent(unit, { type: 'oom-killed' }, atMs);
    unit.exited(atMs).catch((error) => degrade(`exit/${target.vm}`, errorMessage(error)));
  }

  #record({ vm, spec, message }: ProbeTarget, transition: Transition): void {
    const { from, to, reason, atMs, streakStartMs, lastOkMs, count, durationMs, coalesced } = transition;
    const why = reason === undefined ? '' : ` (${reason}${message === '' ? '' : `: ${message}`})`;
    this.#options.recorder.note({
      vm,
      type: 'transition',
      actionId: null,
      atMs,
      text: `probe ${spec.name} ${from} → ${to}${why}`,
      data: {
        probe: spec.name,
        kind: spec.check.kind,
        from,
        to,
        reason: reason ?? null,
        ...(message === '' ? {} : { message }),
        count,
        streakStartMs,
        lastOkMs,
        durationMs,
        coalesced,
      },
    });
  }
}
