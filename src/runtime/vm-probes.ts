import type { Outcome } from '../model/outcome.js';
import type { VmmSession } from '../model/ports.js';
import type { ProbeSpec, ProbeTiming } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import type { ProbeHost } from '../probes/external.js';
import { asksTheSame, isSame } from './asks-the-same.js';
import type { CustomProbes } from './custom-probes.js';
import { addProbes, prepareProbe } from './probe-registration.js';
import { type Askers, ProbeTarget } from './probe-target.js';
import { missingRight } from './raw-rights.js';

export interface VmProbesOptions extends Askers {
  readonly customProbes: CustomProbes;
  readonly probeHost: ProbeHost;
  /** Text of /proc/self/status. */
  readonly ownStatus: () => string;
  /** By the engine's handle, shared by all VMs of one runtime. */
  readonly targets: Map<number, ProbeTarget>;
  readonly events: {
    /** A probe could not be registered; the rest goes on. */
    readonly probeUnavailable: (probe: string, why: string) => void;
    /** A probe is registered, and will be inconclusive for want of a right. */
    readonly probeHindered: (probe: string, why: string) => void;
  };
}

/** What probes are registered for: a VM as it is configured, and the session to its VMM. */
interface Subject {
  readonly vm: VmSpec;
  readonly session: VmmSession;
}

/** The probes of one VM in the engine; they are there only while its VMM runs. */
export class VmProbes {
  readonly #options: VmProbesOptions;
  readonly #byName = new Map<string, ProbeTarget>();
  #subject: Subject | undefined;
  /** When the present boot of the guest began, as far as that is known. */
  #bootedAtMs = 0;
  #suspended = false;

  constructor(options: VmProbesOptions) {
    this.#options = options;
  }

  /** Undefined: it is not registered, as the VM does not run. */
  get(name: string): ProbeTarget | undefined {
    return this.#byName.get(name);
  }

  /** Registers the probes of a VM whose VMM was just attached to; none is registered before. */
  async begin(vm: VmSpec, session: VmmSession, bootedAtMs: number): Promise<void> {
    this.#subject = { vm, session };
    this.#bootedAtMs = bootedAtMs;
    await this.#register(this.#subject);
  }

  /** Takes all of them out of the engine. */
  end(): void {
    this.#subject = undefined;
    this.#remove([...this.#byName.values()]);
  }

  /** The same, but for the engine: whoever gets their handles takes them out of it, with those of other VMs. */
  forget(): readonly number[] {
    this.#subject = undefined;
    return this.#forget([...this.#byName.values()]);
  }

  /**
   * Takes a new configuration. Probes that still ask the same are counted on, at their new times. Resolves with those
   * that the engine counts from nothing.
   */
  async reconfigure(vm: VmSpec): Promise<readonly string[]> {
    const former = this.#subject;
    if (former === undefined) return [];
    const before = new Map(this.#byName);
    this.#subject = { vm, session: former.session };
    const staying = this.#keep(former.vm, vm);
    this.#remove([...before.values()].filter((target) => !staying.has(target)));
    await this.#register(this.#subject);
    const names = vm.probes.filter(({ enabled }) => enabled).map(({ name }) => name);
    return names.filter((name) => !before.has(name) || before.get(name) !== this.#byName.get(name));
  }

  /** Sets the times of the targets that stay as they are but for these. */
  #keep(former: VmSpec, vm: VmSpec): ReadonlySet<ProbeTarget> {
    const staying = vm.probes.flatMap((spec) => {
      const target = this.#byName.get(spec.name);
      return target !== undefined && this.#stays(target, former, vm, spec) ? [{ target, spec }] : [];
    });
    const retimed = staying.filter(({ target, spec }) => !isSame(target.spec.timing, spec.timing));
    for (const { target, spec } of staying) target.spec = spec;
    this.#options.engine.update(
      retimed.map(({ target, spec }) => ({
        handle: target.handle,
        timing: { ...spec.timing, initialDelayMs: 0 },
      })),
    );
    return new Set(staying.map(({ target }) => target));
  }

  #stays(target: ProbeTarget, former: VmSpec, vm: VmSpec, probe: ProbeSpec): boolean {
    if (!probe.enabled) return false;
    // Of one that has not begun nothing is counted, and its delay may be another.
    const elapsedMs = this.#options.clock.now() - this.#bootedAtMs;
    if (elapsedMs < target.spec.timing.initialDelayMs) return false;
    const known = { vm: former, probe: target.spec, isExternal: target.isExternal };
    return asksTheSame(known, { vm, probe });
  }

  suspend(): void {
    this.#suspended = true;
    this.#options.engine.suspend(handlesOf(this.#ofGuest()));
  }

  resume(): void {
    this.#suspended = false;
    this.#options.engine.resume(handlesOf(this.#ofGuest()));
  }

  /** The guest begins a new boot. */
  newInstance(): void {
    this.#bootedAtMs = this.#options.clock.now();
    // An adopted VM's initial delays were shortened by the time it had run; a new boot has them whole.
    this.#startOver((timing) => timing);
  }

  /** Thresholds start over for the same boot. */
  restart(): void {
    this.#startOver((timing) => ({ ...timing, initialDelayMs: 0 }));
  }

  #startOver(timingOf: (timing: ProbeTiming) => ProbeTiming): void {
    const { engine } = this.#options;
    const all = [...this.#byName.values()];
    engine.update(all.map(({ handle, spec }) => ({ handle, timing: timingOf(spec.timing) })));
    engine.newInstance(handlesOf(this.#ofGuest()));
    for (const target of all) target.newInstance();
  }

  /** Asks these at once; one that cannot answer by the deadline is left out. */
  async confirm(names: readonly string[], timeoutMs: number): Promise<Record<string, Outcome>> {
    const outcomes: Record<string, Outcome> = {};
    const ask = async (name: string) => {
      const result = await this.#byName.get(name)?.ask(timeoutMs);
      if (result !== undefined) outcomes[name] = result.outcome;
    };
    // A probe that throws (closed, removed) has no answer, which is what leaving it out says.
    await Promise.all(names.map((name) => ask(name).catch(() => {})));
    return outcomes;
  }

  /** The process watch goes on when the guest's probes are suspended or start over. */
  #ofGuest(): readonly ProbeTarget[] {
    return [...this.#byName.values()].filter(({ spec }) => spec.check.kind !== 'vmmProcess');
  }

  /** Registers the probes that are not registered yet. */
  async #register(subject: Subject): Promise<void> {
    const { events, engine, ownStatus } = this.#options;
    const { vm } = subject;
    const missing = vm.probes.filter(({ enabled, name }) => enabled && !this.#byName.has(name));
    const setting = { ...this.#options, ...subject, bootedAtMs: () => this.#bootedAtMs };
    const prepared = await Promise.all(missing.map((probe) => prepareProbe(probe, setting)));
    // Meanwhile the VMM may have gone, or another configuration come; whoever did that registers anew.
    if (this.#subject !== subject) return;
    const ready = prepared.filter((item) => item !== undefined);
    const status = ownStatus();
    for (const [{ probe, external }, handle] of addProbes(engine, ready, events.probeUnavailable)) {
      const target = new ProbeTarget({ vm: vm.id, handle, spec: probe, external }, this.#options);
      this.#byName.set(probe.name, target);
      this.#options.targets.set(handle, target);
      const hindrance = missingRight(probe.check, status);
      if (hindrance !== undefined) events.probeHindered(probe.name, hindrance);
    }
    if (this.#suspended) this.suspend();
  }

  #remove(targets: readonly ProbeTarget[]): void {
    const handles = this.#forget(targets);
    if (handles.length > 0) this.#options.engine.remove(handles);
  }

  #forget(targets: readonly ProbeTarget[]): readonly number[] {
    for (const { handle, spec } of targets) {
      this.#byName.delete(spec.name);
      this.#options.targets.delete(handle);
    }
    return handlesOf(targets);
  }
}

function handlesOf(targets: readonly ProbeTarget[]): number[] {
  return targets.map(({ handle }) => handle);
}
