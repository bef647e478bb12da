import type { Due, ProbeEngine, TargetStatus } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import type { ProbeResult } from '../model/outcome.js';
import type { ProbeSpec } from '../model/probe.js';
import type { VmId } from '../model/vm.js';
import type { Beat, ExternalProbe } from '../probes/external.js';
import type { ExternalRunner } from './external-runner.js';

/** What asks a probe. */
export interface Askers {
  readonly engine: ProbeEngine;
  /** Asks those that run outside the engine. */
  readonly externals: ExternalRunner;
  readonly clock: Clock;
}

export interface ProbeTargetOptions {
  readonly vm: VmId;
  readonly handle: number;
  readonly spec: ProbeSpec;
  /** Undefined: the engine asks by itself. */
  readonly external: ExternalProbe | undefined;
}

/** A probe that is a target of the engine, with what it remembers. */
export class ProbeTarget {
  readonly vm: VmId;
  /** Names the target in the engine. */
  readonly handle: number;
  /** Its configuration, which may change as far as it still asks the same. */
  spec: ProbeSpec;
  readonly #external: ExternalProbe | undefined;
  readonly #askers: Askers;
  #message = '';

  constructor({ vm, handle, spec, external }: ProbeTargetOptions, askers: Askers) {
    this.vm = vm;
    this.handle = handle;
    this.spec = spec;
    this.#external = external;
    this.#askers = askers;
  }

  /** It runs outside the engine. */
  get isExternal(): boolean {
    return this.#external !== undefined;
  }

  /** What an external probe said last when it was due, for a person; empty when nothing. */
  get message(): string {
    return this.#message;
  }

  /** What the engine counts of it. */
  status(): TargetStatus {
    return this.#askers.engine.status(this.handle);
  }

  /** Asks once, beside schedule and thresholds. */
  async ask(timeoutMs: number): Promise<ProbeResult> {
    const { engine, externals, clock } = this.#askers;
    if (this.#external === undefined) return engine.probeNow(this.handle, { timeoutMs });
    const begunMs = clock.now();
    const { outcome, message, warnings = [], details = {} } = await externals.ask(this.#external, timeoutMs);
    const told = message === undefined ? details : { ...details, message };
    return { outcome, durationMs: clock.now() - begunMs, warnings, details: told };
  }

  /** An external probe is due. */
  async answer(due: Due): Promise<void> {
    if (this.#external === undefined) return;
    const { timeoutMs } = this.spec.timing;
    const { message = '' } = await this.#askers.externals.answer(due, this.#external, timeoutMs);
    this.#message = message;
  }

  /** The guest has sent a sign of life. */
  heartbeat(beat: Beat): void {
    this.#external?.heartbeat?.(beat);
  }

  /** The guest begins a new boot: an external probe forgets what it remembered of the former. */
  newInstance(): void {
    this.#external?.newInstance?.();
  }
}
