import type { Clock } from '../model/clock.js';
import { differingPaths, machineOf } from '../model/machine.js';
import type { Driver, VmmEvent, VmmSession } from '../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../model/vm.js';
import { isIgnored } from './compliance.js';
import type { VmProbes } from './vm-probes.js';

const ATTACH_DEADLINE_MS = 5_000;
const STATUS_DEADLINE_MS = 1_000;
/** How long an exit waits for the monitor's last words (SHUTDOWN), which say whether it was meant. */
const LAST_WORDS_MS = 20;

export interface VmUnitEvents {
  readonly attached: (session: VmmSession, fresh: boolean, status: string) => void;
  readonly vmmEvent: (event: VmmEvent, atMs: number) => void;
}

export interface VmUnitOptions {
  readonly spec: VmSpec;
  readonly driver: Driver;
  readonly probes: VmProbes;
  readonly clock: Clock;
  readonly events: VmUnitEvents;
}

/** One VM at run time: owns the session to its VMM, and lets its probes begin and end with that. */
export class VmUnit {
  readonly driver: Driver;
  readonly probes: VmProbes;
  readonly #clock: Clock;
  readonly #events: VmUnitEvents;
  #spec: VmSpec;
  #session: VmmSession | undefined;
  #monitorUp = false;
  #onMonitorLost: () => void = () => {};

  constructor({ spec, driver, probes, clock, events }: VmUnitOptions) {
    this.driver = driver;
    this.probes = probes;
    this.#clock = clock;
    this.#events = events;
    this.#spec = spec;
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
    await this.probes.begin(this.#spec, session, fresh ? this.#clock.now() : session.startedAtMs);
    await this.#tellStatus(session, fresh);
    if (this.#session !== session) return;
    this.#monitorUp = session.monitor?.connected ?? false;
    session.onEvent((event, atMs) => this.#onVmmEvent(session, event, atMs));
  }

  /** Lets go of the VMM, which runs on, and of the probes. */
  async detach(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#monitorUp = false;
    this.probes.end();
    await session?.detach();
  }

  /**
   * Takes a new configuration; what needs a new VMM is only noted (restartRequired). Resolves with the probes that the
   * engine counts from nothing.
   */
  reconfigure(spec: VmSpec): Promise<readonly string[]> {
    this.#spec = spec;
    return this.probes.reconfigure(spec);
  }

  /** The VMM is gone: hears its last words, then lets go. */
  async exited(atMs: number): Promise<void> {
    const session = this.#session;
    if (!session) return;
    // Who may take long to say why is waited for also where the connection to it is made anew just then.
    if (this.#monitorUp || session.lastWordsMs !== undefined) await this.#monitorLost(session);
    if (this.#session !== session) return;
    await this.detach();
    this.#events.vmmEvent({ type: 'exited' }, atMs);
  }

  #monitorLost({ lastWordsMs = LAST_WORDS_MS }: VmmSession): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.at(this.#clock.now() + lastWordsMs, resolve);
      this.#onMonitorLost = () => {
        cancel();
        resolve();
      };
    });
  }

  #onVmmEvent(session: VmmSession, event: VmmEvent, atMs: number): void {
    if (this.#session !== session) return;
    this.#events.vmmEvent(event, atMs);
    if (event.type === 'paused') void this.#tellRunState(session);
    if (event.type !== 'monitor') return;
    const wasUp = this.#monitorUp;
    this.#monitorUp = event.state === 'connected';
    if (event.state === 'lost') this.#onMonitorLost();
    if (this.#monitorUp && !wasUp) void this.#tellStatus(session, false);
  }

  async #tellStatus(session: VmmSession, fresh: boolean): Promise<void> {
    const status = await statusOf(session);
    if (this.#session === session) this.#events.attached(session, fresh, status);
  }

  /** A pause says not why; the run state does. */
  async #tellRunState(session: VmmSession): Promise<void> {
    const status = await statusOf(session);
    if (this.#session !== session || status === 'unknown') return;
    this.#events.vmmEvent({ type: 'run-state', status }, this.#clock.now());
  }
}

function statusOf(session: VmmSession): Promise<string> {
  return session.status({ deadlineMs: STATUS_DEADLINE_MS }).catch(() => 'unknown');
}
