import type { Outcome } from '../model/outcome.js';
import type { JournalEntry } from '../model/ports.js';
import type { VmSpec } from '../model/vm.js';
import type { PolicyConfig, PolicyEvent, PolicyState } from '../policy/types.js';
import { createRecoveries, type RecoveryOverrides } from '../recovery/registry.js';
import { Supervisor } from '../runtime/supervisor.js';
import { Life } from './life.js';
import { SimDriver } from './sim-driver.js';
import { SimEngine } from './sim-engine.js';
import type { SimHost } from './sim-host.js';
import { SimJournal } from './sim-journal.js';

/** A policy, or something around it, that is broken on purpose: the checkers must notice. */
export interface Canary {
  /** What the daemon is configured with, instead of what the checkers go by. */
  readonly configure?: (spec: VmSpec) => VmSpec;
  readonly limits?: (config: PolicyConfig) => PolicyConfig;
  /** Called again and again while the daemon runs. */
  readonly tamper?: (state: PolicyState, nowMs: number) => void;
  readonly distort?: (outcome: Outcome) => Outcome;
  /** The engine delivers what it found about a former instance. */
  readonly tellsStale?: boolean;
  /** Steps that are carried out in another way. */
  readonly recoveries?: RecoveryOverrides;
  /** The hypervisor starts a VMM although one runs: neither it nor its disks are locked. */
  readonly startsTwice?: boolean;
  /** The daemon takes a journal that is gone for one that begins. */
  readonly missesLoss?: boolean;
  /** The journal acknowledges what it does not write. */
  readonly losesEntry?: (entry: JournalEntry) => boolean;
}

export interface DaemonOptions {
  readonly policy: PolicyConfig;
  readonly maySleep: boolean;
  readonly canary: Canary;
}

const TAMPER_EVERY_MS = 1_000;

/** No probe of a simulated VM runs outside the engine. */
const nothing = () => Promise.reject(new Error('the simulator has nothing outside'));

/** One run of the production supervisor on a simulated host, until it is killed. */
export class SimDaemon {
  readonly engine: SimEngine;
  readonly journal: SimJournal;
  readonly supervisor: Supervisor;
  readonly life: Life;
  /** It has come up: every VM was looked at. */
  isRunning = false;
  readonly #host: SimHost;
  readonly #options: DaemonOptions;

  constructor(host: SimHost, options: DaemonOptions) {
    this.#host = host;
    this.#options = options;
    const { timeline, judge } = host.world;
    const { policy, maySleep, canary } = options;
    const life = new Life(timeline, () => host.wallMs());
    this.life = life;
    this.engine = new SimEngine({
      host,
      life,
      maySleep,
      ...(canary.distort === undefined ? {} : { distort: canary.distort }),
      ...(canary.tellsStale === undefined ? {} : { tellsStale: canary.tellsStale }),
    });
    const loses = canary.losesEntry ?? (() => false);
    this.journal = new SimJournal(
      host.disk,
      timeline,
      (ms) => life.later(ms),
      loses,
      canary.missesLoss !== true,
    );
    const told = (data: Readonly<Record<string, unknown>>, text: string) => {
      if (!life.alive) return;
      if (typeof data.vm === 'string') judge.noteTold(data.vm, text);
      else judge.noteHostTold(host, text);
    };
    const quiet = () => {};
    const warned = (data: Readonly<Record<string, unknown>>, text: string) => {
      // The policy's own assertion: all recovery holds from now on.
      if (life.alive && data.what === 'policy') host.world.checker.noteBroken(host, text);
    };
    this.supervisor = new Supervisor({
      host: host.name,
      version: 'simulated',
      hostBootId: () => host.bootId,
      watchHost: (tell) => {
        host.onSigns = tell;
        tell(host.signs);
        return () => {};
      },
      engine: this.engine,
      journal: this.journal,
      drivers: { qemu: new SimDriver(host, life, canary.startsTwice === true) },
      probes: {},
      probeHost: { runInPool: nothing, runTogether: nothing, resolveHost: nothing },
      recoveries: createRecoveries(canary.recoveries),
      policy: canary.limits?.(policy) ?? policy,
      clock: life,
      logger: { debug: quiet, info: quiet, warn: warned, error: told },
      journalDeadlineMs: 1_000,
    });
  }

  start(): void {
    const { canary } = this.#options;
    const specs = this.#host.vms.map((vm) => canary.configure?.(vm.spec) ?? vm.spec);
    this.#host.world.timeline.stir();
    this.supervisor.start(specs).then(
      () => {
        this.isRunning = true;
        this.#host.daemonIsUp(this.supervisor.state);
        this.#tamper();
      },
      (error: unknown) => this.#host.world.checker.noteBroken(this.#host, `start failed: ${error}`),
    );
  }

  /** A person's command. */
  command(
    event: Extract<PolicyEvent, { type: 'hold' | 'unhold' | 'release' | 'maintenance' | 'schedule' }>,
    text: string,
  ): void {
    this.#host.world.timeline.stir();
    this.supervisor
      .command(event, { vm: event.vm, text, data: {} })
      .catch((error: unknown) => this.#host.world.checker.noteBroken(this.#host, `${text} failed: ${error}`));
  }

  /** SIGKILL: nothing is said, nothing is saved, and nothing that it waits for ever comes. */
  kill(): void {
    this.life.alive = false;
    void this.engine.close();
    for (const vm of this.#host.vms) vm.listener = null;
  }

  #tamper(): void {
    const { canary } = this.#options;
    if (canary.tamper === undefined) return;
    const again = () => {
      canary.tamper?.(this.supervisor.state, this.life.now());
      this.life.at(this.life.now() + TAMPER_EVERY_MS, again);
    };
    again();
  }
}
