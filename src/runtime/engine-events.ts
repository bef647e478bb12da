import type { Due, EngineEvent, Transition } from '../engine/probe-engine.js';
import { errorMessage } from '../model/errors.js';
import { given } from '../model/given.js';
import type { VmmEvent } from '../model/ports.js';
import type { ProbeSpec } from '../model/probe.js';
import type { PolicyEvent } from '../policy/types.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

export interface EngineEventsOptions {
  /** Engine handle → probe. */
  readonly index: ReadonlyMap<number, { readonly unit: VmUnit; readonly probe: ProbeSpec }>;
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
        if (event.type === 'transition') this.#onTransition(event);
        else this.#onDue(event);
      }
    }
    this.#ended = true;
  }

  #onTransition(transition: Transition): void {
    const { index, hasJustKilled, post, onVmmEvent, onChange, degrade } = this.#options;
    const known = index.get(transition.handle);
    if (!known) return;
    const { unit, probe } = known;
    onChange();
    const { to, reason, atMs, streakStartMs, lastOkMs, count } = transition;
    this.#record(unit, probe, transition);
    post({
      type: 'probe',
      vm: unit.spec.id,
      probe: probe.name,
      state: to,
      ...given({ reason }),
      atMs,
      streakStartMs,
      lastOkMs,
      count,
    });
    if (reason === 'process-gone' && to === 'failed') {
      if (hasJustKilled()) onVmmEvent(unit, { type: 'oom-killed' }, atMs);
      unit.exited(transition).catch((error) => degrade(`exit/${unit.spec.id}`, errorMessage(error)));
    }
  }

  #record(unit: VmUnit, probe: ProbeSpec, transition: Transition): void {
    const { from, to, reason, atMs, streakStartMs, lastOkMs, count, durationMs, coalesced } = transition;
    const message = unit.messageOf(probe.name);
    const why = reason === undefined ? '' : ` (${reason}${message === '' ? '' : `: ${message}`})`;
    this.#options.recorder.note({
      vm: unit.spec.id,
      type: 'transition',
      actionId: null,
      atMs,
      text: `probe ${probe.name} ${from} → ${to}${why}`,
      data: {
        probe: probe.name,
        kind: probe.check.kind,
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

  #onDue(due: Due): void {
    const known = this.#options.index.get(due.handle);
    if (known) void known.unit.answer(due, known.probe);
  }
}
