import {
  type ConfigSources,
  daemonSettings,
  type FurtherDocuments,
  type LoadedConfig,
  type Override,
  ProblemList,
  readConfigSources,
  readOverrides,
  type SetAside,
  vmSettings,
} from '../config/index.js';
import type { Clock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { plainText } from '../model/plain-text.js';
import { Turns } from '../model/turns.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { ChangeRequest, ChangeView, ConfigurationApi, ConfigurationView } from './configuration-api.js';
import { OverrideEnds } from './override-ends.js';
import { writeOverrides } from './override-store.js';
import { changed, compare, recordsOf, refuseFixed, withoutSecrets } from './setting-change.js';

export interface ConfigurationOptions {
  readonly configPath: string;
  readonly configOptional?: boolean;
  readonly stateDir: string;
  /** Has whoever runs the VMs read the whole configuration again. */
  readonly reload: () => Promise<unknown>;
  /** What holds now. */
  readonly loaded: () => LoadedConfig;
  readonly further?: FurtherDocuments | undefined;
  readonly spec: (vm: VmId) => VmSpec;
  /** Journals what a person did; resolves once durable. */
  readonly record: (vm: VmId | null, text: string, data: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Shows that something works only in part; `why` undefined: it works again. */
  readonly degrade: (what: string, why: string | undefined) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const READ_MS = 10_000;

/** Changes the configuration while the daemon runs, beside the files, which stay as they are. One change at a time. */
export class Configuration implements ConfigurationApi {
  readonly #options: ConfigurationOptions;
  readonly #ends: OverrideEnds;
  readonly #turns = new Turns();

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    this.#ends = new OverrideEnds({
      ...options,
      inTurn: (work) => this.#turns.take(work),
      forgetEnded: async () => writeOverrides(options.stateDir, (await this.#read()).overrides),
    });
  }

  /** Forgets what ended while no daemon ran, and begins to wait for the end of what was set for a time. */
  async start(): Promise<void> {
    const deadline = new Deadline('reading of what was set at run time', { deadlineMs: READ_MS });
    const problems = new ProblemList();
    const all = await readOverrides(this.#options.stateDir, 0, deadline, problems);
    problems.throwIfAny();
    await this.#ends.start(all);
  }

  async close(): Promise<void> {
    this.#ends.close();
    await this.#turns.idle();
  }

  view(vm: VmId | null): ConfigurationView {
    const loaded = this.#options.loaded();
    const { inForce, setAside, idle } = loaded.overrides;
    const isOfIt = (each: Override) => (vm === null ? true : each.vm === vm);
    const waiting = idle.map((override): SetAside => ({ override, why: 'no document defines that VM' }));
    return {
      vm,
      settings: vm === null ? daemonSettings(loaded) : vmSettings(this.#options.spec(vm), loaded),
      overrides: inForce.filter(isOfIt).map(withoutSecrets),
      setAside: [...setAside, ...waiting]
        .filter(({ override }) => isOfIt(override))
        .map(({ override, why }) => ({ override: withoutSecrets(override), why })),
    };
  }

  change(request: ChangeRequest): Promise<ChangeView> {
    return this.#turns.take(async () => {
      for (const change of request.changes) refuseFixed(change);
      const read = await this.#read();
      const next = changed(read.overrides, request, this.#options.clock.now());
      const view = compare(read, next, request.dryRun);
      if (!request.dryRun && (view.set.length > 0 || view.withdrawn.length > 0)) {
        const { record } = this.#options;
        const records = recordsOf(request, view);
        await Promise.all(records.map(({ vm, text, data }) => record(vm, text, data)));
        await this.#store(read.overrides, next);
      }
      return view;
    });
  }

  /** The VM is gone for good: what was set for it must not meet another one of its name. */
  forget(vm: VmId): Promise<void> {
    return this.#turns.take(async () => {
      const { overrides } = await this.#read();
      const kept = overrides.filter((each) => each.vm !== vm);
      if (kept.length === overrides.length) return;
      await writeOverrides(this.#options.stateDir, kept);
      // A reload that fails shows itself; the VM is gone all the same.
      await this.#options.reload().catch(() => {});
      this.#ends.wait();
    });
  }

  #read(): Promise<ConfigSources> {
    const { configPath, configOptional = false, stateDir, further } = this.#options;
    const more = further === undefined ? {} : { further };
    return readConfigSources(configPath, { stateDir, optional: configOptional, ...more });
  }

  async #store(former: readonly Override[], next: readonly Override[]): Promise<void> {
    const { stateDir, reload, record } = this.#options;
    await writeOverrides(stateDir, next);
    try {
      await reload();
    } catch (error) {
      // What a person edited meanwhile may not fit, or an address is taken: then nothing of this holds.
      await writeOverrides(stateDir, former);
      const text = `what was just set or withdrawn did not take effect: ${plainText(errorMessage(error), 1000)}`;
      // It is told to whoever asked in any case.
      await record(null, text, { verb: 'config-refused' }).catch(() => {});
      throw error;
    }
    this.#ends.wait();
  }
}
