import type { Due, ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { VmpulseError } from '../model/errors.js';
import type { Outcome } from '../model/outcome.js';
import type { ProbeCheck, ProbeSpec } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';

/**
 * A kind of probe that the host program brings. Says what it found; a throw means that it could not probe, which is
 * inconclusive and never leads to a recovery. `signal` fires at the probe's time-out, which then counts as
 * response-timeout.
 */
export type CustomProbe = (
  vm: VmSpec,
  options: Readonly<Record<string, unknown>>,
  context: { readonly signal: AbortSignal },
) => Promise<Outcome>;

export type CustomProbes = Readonly<Record<string, CustomProbe>>;

type CustomCheck = Extract<ProbeCheck, { kind: 'custom' }>;

const TIMED_OUT: Outcome = { result: 'failed', reason: 'response-timeout' };
const COULD_NOT: Outcome = { result: 'inconclusive', reason: 'prober-resources' };

/** Runs the host program's probes when the engine says that they are due. */
export class CustomProbeRunner {
  readonly #probes: CustomProbes;
  readonly #engine: ProbeEngine;
  readonly #clock: Clock;

  constructor(probes: CustomProbes, engine: ProbeEngine, clock: Clock) {
    this.#probes = probes;
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Throws ERR_VMPULSE_ARGUMENT when the host program brings no probe of that name. */
  require(check: CustomCheck): CustomProbe {
    const probe = Object.hasOwn(this.#probes, check.probe) ? this.#probes[check.probe] : undefined;
    if (probe) return probe;
    const known = Object.keys(this.#probes).join(', ') || 'none';
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `no custom probe ${check.probe} is registered (there are: ${known}); give it to Vmpulse as probes`,
    );
  }

  async answer(due: Due, vm: VmSpec, { check, timing }: ProbeSpec): Promise<void> {
    if (check.kind !== 'custom') return;
    const startedAtMs = this.#clock.now();
    const outcome = await this.ask(vm, check, timing.timeoutMs);
    this.#engine.report(due.handle, due.epoch, outcome, this.#clock.now() - startedAtMs);
  }

  /** Never rejects; ends at the time-out whether the probe heeds its signal or not. */
  async ask(vm: VmSpec, check: CustomCheck, timeoutMs: number): Promise<Outcome> {
    const timeout = new AbortController();
    const timedOut = new Promise<Outcome>((resolve) => {
      timeout.signal.addEventListener('abort', () => resolve(TIMED_OUT), { once: true });
    });
    const cancel = this.#clock.at(this.#clock.now() + timeoutMs, () => timeout.abort());
    try {
      const asked = this.require(check)(vm, check.options, { signal: timeout.signal });
      return await Promise.race([asked, timedOut]);
    } catch {
      return timeout.signal.aborted ? TIMED_OUT : COULD_NOT;
    } finally {
      cancel();
    }
  }
}
