import type { Due, ProbeEngine, TargetStatus, Transition } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { VmpulseError } from '../model/errors.js';
import { differingPaths, machineOf } from '../model/machine.js';
import type { Outcome, ProbeResult } from '../model/outcome.js';
import type { Driver, VmmEvent, VmmSession } from '../model/ports.js';
import type { ProbeSpec, ProbeTiming } from '../model/probe.js';
import type { ProcessIdentity, VmSpec } from '../model/vm.js';
import type { Beat, ExternalProbe, ProbeHost } from '../probes/external.js';
import { asksTheSame, isSame } from './asks-the-same.js';
import { isIgnored } from './compliance.js';
import type { CustomProbes } from './custom-probes.js';
import type { ExternalRunner } from './external-runner.js';
import { addProbes, prepareProbe } from './probe-registration.js';
import { missingRight } from './raw-rights.js';

const ATTACH_DEADLINE_MS = 5_000;
const STATUS_DEADLINE_MS = 1_000;
/** How long an exit waits for the monitor's last words (SHUTDOWN), which say whether it was meant. */
const LAST_WORDS_MS = 20;

export interface VmUnitEvents {
  readonly attached: (session: VmmSession, fresh: boolean, status: string) => void;
  readonly vmmEvent: (event: VmmEvent, atMs: number) => void;
  /** A probe could not be registered; the rest goes on. */
  readonly probeUnavailable: (probe: string, why: string) => void;
  /** A probe is registered, and will be inconclusive for want of a right. */
  readonly probeHindered: (probe: string, why: string) => void;
}

export interface VmUnitOptions {
  readonly spec: VmSpec;
  readonly driver: Driver;
  readonly engine: ProbeEngine;
  readonly customProbes: CustomProbes;
  readonly externals: ExternalRunner;
  readonly probeHost: ProbeHost;
  /** Text of /proc/self/status. */
  readonly ownStatus: () => string;
  readonly clock: Clock;
  /** Handle → probe, shared by all units of one runtime. */
  readonly index: Map<number, { readonly unit: VmUnit; readonly probe: ProbeSpec }>;
  readonly events: VmUnitEvents;
}

/**
 * One VM at run time: owns the session to its VMM and its targets in the engine. Both exist only while the VMM runs.
 */
export class VmUnit {
  readonly driver: Driver;
  readonly #options: VmUnitOptions;
  readonly #handles = new Map<string, number>();
  /** Probes that run outside the engine, by name. */
  readonly #externals = new Map<string, ExternalProbe>();
  /** What they said last. */
  readonly #messages = new Map<string, string>();
  #spec: VmSpec;
  #session: VmmSession | undefined;
  /** When the present boot of its guest began, as far as that is known. */
  #bootedAtMs = 0;
  #suspended = false;
  #monitorUp = false;
  #onMonitorLost: () => void = () => {};

  constructor(options: VmUnitOptions) {
    this.#options = options;
    this.#spec = options.spec;
    this.driver = options.driver;
  }

  get spec(): VmSpec {
    return this.#spec;
  }

  get session(): VmmSession | undefined {
    return this.#session;
  }

  /** What of the running VMM differs from the configuration; empty also where nobody knows what it was started with. */
  get machineDrift(): readonly string[] {
    const { machineDigest, machine } = this.#session ?? {};
    if (machineDigest === undefined || machineDigest === this.#spec.machineDigest) return [];
    const paths = machine === undefined ? ['hypervisor'] : differingPaths(machine, machineOf(this.#spec));
    return paths.filter((path) => !isIgnored(this.#spec, path));
  }

  get restartRequired(): boolean {
    return this.machineDrift.length > 0;
  }

  /** Opens the session to a running VMM and registers the probes. `fresh`: its guest has just begun to boot. */
  async attach(process: ProcessIdentity, fresh: boolean): Promise<void> {
    await this.detach();
    const session = await this.driver.attach(this.#spec, process, { deadlineMs: ATTACH_DEADLINE_MS });
    this.#session = session;
    this.#bootedAtMs = fresh ? this.#options.clock.now() : session.startedAtMs;
    await this.#register(session);
    await this.#tellStatus(session, fresh);
    if (this.#session !== session) return;
    this.#monitorUp = session.monitor?.connected ?? false;
    session.onEvent((event, atMs) => this.#onVmmEvent(session, event, atMs));
  }

  async #tellStatus(session: VmmSession, fresh: boolean): Promise<void> {
    const status = await session.status({ deadlineMs: STATUS_DEADLINE_MS }).catch(() => 'unknown');
    if (this.#session === session) this.#options.events.attached(session, fresh, status);
  }

  /** A pause says not why; the run state does. */
  async #tellRunState(session: VmmSession): Promise<void> {
    const status = await session.status({ deadlineMs: STATUS_DEADLINE_MS }).catch(() => 'unknown');
    if (this.#session !== session || status === 'unknown') return;
    this.#options.events.vmmEvent({ type: 'run-state', status }, this.#options.clock.now());
  }

  /** Lets go of the VMM, which runs on, and of the targets. */
  async detach(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#monitorUp = false;
    this.#unregister();
    await session?.detach();
  }

  /**
   * Takes a new configuration; what needs a new VMM is only noted (restartRequired). Probes that still ask the same are
   * counted on, at their new times. Resolves with those that the engine counts from nothing.
   */
  async reconfigure(spec: VmSpec): Promise<readonly string[]> {
    const former = this.#spec;
    const before = new Map(this.#handles);
    this.#spec = spec;
    if (!this.#session) return [];
    const staying = this.#staying(former);
    this.#unregister([...before.keys()].filter((name) => !staying.has(name)));
    await this.#register(this.#session);
    const names = spec.probes.filter(({ enabled }) => enabled).map(({ name }) => name);
    return names.filter((name) => !before.has(name) || before.get(name) !== this.#handles.get(name));
  }

  /** Probes whose target stays as it is but for its times; these are set. */
  #staying(former: VmSpec): ReadonlySet<string> {
    const { clock, engine, index } = this.#options;
    const vm = this.#spec;
    const elapsedMs = clock.now() - this.#bootedAtMs;
    const staying = vm.probes.flatMap((probe) => {
      const handle = this.#handles.get(probe.name);
      const known = handle === undefined ? undefined : index.get(handle)?.probe;
      if (handle === undefined || known === undefined || !probe.enabled) return [];
      const isExternal = this.#externals.has(probe.name);
      // Of one that has not begun nothing is counted, and its delay may be another.
      const hasBegun = elapsedMs >= known.timing.initialDelayMs;
      const stays = hasBegun && asksTheSame({ vm: former, probe: known, isExternal }, { vm, probe });
      return stays ? [{ handle, known, probe }] : [];
    });
    for (const { handle, probe } of staying) index.set(handle, { unit: this, probe });
    const retimed = staying.filter(({ known, probe }) => !isSame(known.timing, probe.timing));
    engine.update(
      retimed.map(({ handle, probe }) => ({ handle, timing: { ...probe.timing, initialDelayMs: 0 } })),
    );
    return new Set(staying.map(({ probe }) => probe.name));
  }

  /** The VMM is gone: hears its last words, then lets go. */
  async exited(transition: Transition): Promise<void> {
    const session = this.#session;
    if (!session) return;
    // Who may take long to say why is waited for also where the connection to it is made anew just then.
    if (this.#monitorUp || session.lastWordsMs !== undefined) await this.#monitorLost();
    if (this.#session !== session) return;
    await this.detach();
    this.#options.events.vmmEvent({ type: 'exited' }, transition.atMs);
  }

  #monitorLost(): Promise<void> {
    return new Promise((resolve) => {
      const { clock } = this.#options;
      const waitMs = this.#session?.lastWordsMs ?? LAST_WORDS_MS;
      const cancel = clock.at(clock.now() + waitMs, resolve);
      this.#onMonitorLost = () => {
        cancel();
        resolve();
      };
    });
  }

  suspend(suspended: boolean): void {
    this.#suspended = suspended;
    const handles = this.#guestHandles();
    if (suspended) this.#options.engine.suspend(handles);
    else this.#options.engine.resume(handles);
  }

  newInstance(): void {
    this.#bootedAtMs = this.#options.clock.now();
    // An adopted VM's initial delays were shortened by the time it had run; a new boot has them whole.
    this.#startOver((timing) => timing);
  }

  /** Thresholds start over for the same boot. */
  restartProbes(): void {
    this.#startOver((timing) => ({ ...timing, initialDelayMs: 0 }));
  }

  #startOver(timingOf: (timing: ProbeTiming) => ProbeTiming): void {
    const changes = this.#spec.probes.flatMap((probe) => {
      const handle = this.#handles.get(probe.name);
      return handle === undefined ? [] : [{ handle, timing: timingOf(probe.timing) }];
    });
    this.#options.engine.update(changes);
    this.#options.engine.newInstance(this.#guestHandles());
    for (const external of this.#externals.values()) external.newInstance?.();
  }

  /** An external probe is due. */
  async answer(due: Due, { name, timing }: ProbeSpec): Promise<void> {
    const external = this.#externals.get(name);
    if (!external) return;
    const { message = '' } = await this.#options.externals.answer(due, external, timing.timeoutMs);
    if (this.#externals.get(name) === external) this.#messages.set(name, message);
  }

  /** Gives a sign of life to that probe, or to all that wait for one. Throws ERR_VMPULSE_ARGUMENT when none does. */
  heartbeat(beat: Beat, probe: string | undefined): void {
    const waiting = this.#spec.probes.filter(
      ({ name, check }) => check.kind === 'heartbeat' && (probe === undefined || probe === name),
    );
    if (waiting.length === 0) {
      const which = probe === undefined ? 'no probe of kind heartbeat' : `no heartbeat probe named ${probe}`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${this.#spec.id} has ${which}`);
    }
    for (const { name } of waiting) this.#externals.get(name)?.heartbeat?.(beat);
  }

  /** What an external probe said last, for a person; empty when nothing. */
  messageOf(probe: string): string {
    return this.#messages.get(probe) ?? '';
  }

  /** Asks the probes at once; one that cannot answer by the deadline is left out. */
  async confirm(probes: readonly string[], timeoutMs: number): Promise<Record<string, Outcome>> {
    const outcomes: Record<string, Outcome> = {};
    const ask = async (name: string) => {
      const result = await this.probeNow(name, timeoutMs);
      if (result !== undefined) outcomes[name] = result.outcome;
    };
    // A probe that throws (closed, removed) has no answer, which is what leaving it out says.
    await Promise.all(probes.map((name) => ask(name).catch(() => {})));
    return outcomes;
  }

  /** What the engine counts of a probe; undefined: it is not registered, for the VM does not run. */
  engineStatus(name: string): TargetStatus | undefined {
    const handle = this.#handles.get(name);
    return handle === undefined ? undefined : this.#options.engine.status(handle);
  }

  /** One probe, beside its schedule and thresholds; undefined: it is not registered, for the VM does not run. */
  async probeNow(name: string, timeoutMs: number): Promise<ProbeResult | undefined> {
    const handle = this.#handles.get(name);
    if (handle === undefined) return undefined;
    const external = this.#externals.get(name);
    if (external === undefined) return this.#options.engine.probeNow(handle, { timeoutMs });
    const { clock, externals } = this.#options;
    const begunMs = clock.now();
    const { outcome, message, warnings = [], details = {} } = await externals.ask(external, timeoutMs);
    const told = message === undefined ? details : { ...details, message };
    return { outcome, durationMs: clock.now() - begunMs, warnings, details: told };
  }

  /** The process watch goes on when the guest's probes are suspended or start over. */
  #guestHandles(): number[] {
    const probes = this.#spec.probes.filter((probe) => probe.check.kind !== 'vmmProcess');
    return probes.flatMap((probe) => this.#handles.get(probe.name) ?? []);
  }

  /** Registers the probes that are not registered yet. */
  async #register(session: VmmSession): Promise<void> {
    const { index } = this.#options;
    const spec = this.#spec;
    const missing = spec.probes.filter(({ enabled, name }) => enabled && !this.#handles.has(name));
    const { events } = this.#options;
    const setting = { ...this.#options, vm: spec, session, bootedAtMs: () => this.#bootedAtMs };
    const prepared = await Promise.all(missing.map((probe) => prepareProbe(probe, setting)));
    // Meanwhile the VMM may have gone, or another configuration come; whoever did that registers anew.
    if (this.#session !== session || this.#spec !== spec) return;
    const ready = prepared.filter((item) => item !== undefined);
    const ownStatus = this.#options.ownStatus();
    for (const [{ probe, external }, handle] of addProbes(
      this.#options.engine,
      ready,
      events.probeUnavailable,
    )) {
      if (external) this.#externals.set(probe.name, external);
      this.#handles.set(probe.name, handle);
      index.set(handle, { unit: this, probe });
      const hindrance = missingRight(probe.check, ownStatus);
      if (hindrance !== undefined) events.probeHindered(probe.name, hindrance);
    }
    if (this.#suspended) this.suspend(true);
  }

  #unregister(names: readonly string[] = [...this.#handles.keys()]): void {
    const handles = names.flatMap((name) => this.#handles.get(name) ?? []);
    for (const name of names) {
      this.#handles.delete(name);
      this.#externals.delete(name);
      this.#messages.delete(name);
    }
    for (const handle of handles) this.#options.index.delete(handle);
    if (handles.length > 0) this.#options.engine.remove(handles);
  }

  #onVmmEvent(session: VmmSession, event: VmmEvent, atMs: number): void {
    if (this.#session !== session) return;
    this.#options.events.vmmEvent(event, atMs);
    if (event.type === 'paused') void this.#tellRunState(session);
    if (event.type !== 'monitor') return;
    const wasUp = this.#monitorUp;
    this.#monitorUp = event.state === 'connected';
    if (event.state === 'lost') this.#onMonitorLost();
    if (this.#monitorUp && !wasUp) void this.#tellStatus(session, false);
  }
}
