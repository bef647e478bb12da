import {
  type ConfigDiff,
  type ConfigSources,
  compileSources,
  daemonSettings,
  diffConfig,
  FIXED_DAEMON_OPTIONS,
  type FurtherDocuments,
  isAtOrBelow,
  type LoadedConfig,
  type Override,
  type OverrideState,
  ProblemList,
  readConfigSources,
  readOverrides,
  redact,
  type SetAside,
  type Setting,
  VM_OPTIONS,
  vmSettings,
} from '../config/index.js';
import type { Clock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { plainText } from '../model/plain-text.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { writeOverrides } from './override-store.js';

/** A value to be set, or (`value` undefined) what was set at or below the path to be withdrawn. */
export interface SettingChange {
  /** null: the daemon's configuration. */
  readonly vm: VmId | null;
  /** Empty, to withdraw: all of that VM, or of the daemon. */
  readonly path: string;
  /** null: as if nothing were written there. */
  readonly value?: unknown;
}

export interface ChangeRequest {
  readonly changes: readonly SettingChange[];
  /** How long what is set holds, ms; null: until it is withdrawn. */
  readonly forMs: number | null;
  /** Empty: none. */
  readonly reason: string;
  readonly author: string;
  /** Only tells what would change. */
  readonly dryRun: boolean;
}

/** What a change did, or would do. */
export interface ChangeView {
  readonly dryRun: boolean;
  readonly set: readonly Override[];
  readonly withdrawn: readonly Override[];
  /** VMs that are treated otherwise by it. */
  readonly vms: ConfigDiff['changed'];
  /** Settings of the daemon that hold only after its next start. */
  readonly restartRequired: readonly string[];
}

/** What holds, and who said it. */
export interface ConfigurationView {
  readonly vm: VmId | null;
  readonly settings: readonly Setting[];
  readonly overrides: readonly Override[];
  /** Those that do not fit the files any more, and those of VMs that are not there. */
  readonly setAside: readonly { readonly override: Override; readonly why: string }[];
}

/** What the daemon's API needs to change its configuration. */
export interface ConfigurationApi {
  /** The daemon's (null), or that of a VM. Throws ERR_VMPULSE_VM_UNKNOWN. */
  view(vm: VmId | null): ConfigurationView;
  /**
   * Changes all, or nothing: ERR_VMPULSE_CONFIG with every problem, ERR_VMPULSE_ARGUMENT for what cannot be changed
   * while the daemon runs, ERR_VMPULSE_JOURNAL when it could not be recorded.
   */
  change(request: ChangeRequest): Promise<ChangeView>;
}

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

const DEGRADATION = 'override-end';
const READ_MS = 10_000;
/** After this an end that could not take effect is tried again, ms. */
const AGAIN_MS = 60_000;

/** Changes the configuration while the daemon runs, beside the files, which stay as they are. One change at a time. */
export class Configuration implements ConfigurationApi {
  readonly #options: ConfigurationOptions;
  #last: Promise<unknown> = Promise.resolve();
  #cancelEnd: () => void = () => {};
  #closed = false;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  /** Forgets what ended while no daemon ran, and begins to wait for the end of what was set for a time. */
  async start(): Promise<void> {
    const { stateDir, clock } = this.#options;
    const deadline = new Deadline('reading of what was set at run time', { deadlineMs: READ_MS });
    const problems = new ProblemList();
    const all = await readOverrides(stateDir, 0, deadline, problems);
    problems.throwIfAny();
    const nowMs = clock.now();
    if (all.some((each) => isOver(each, nowMs))) await this.#inTurn(() => this.#end(all, false));
    else this.#awaitEnd(nowMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelEnd();
    await this.#last;
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
    return this.#inTurn(async () => {
      for (const change of request.changes) refuseFixed(change);
      const read = await this.#read();
      const next = this.#changed(read.overrides, request);
      const view = compare(read, next, request.dryRun);
      if (!request.dryRun && (view.set.length > 0 || view.withdrawn.length > 0)) {
        await this.#record(request, view);
        await this.#store(read.overrides, next);
      }
      return view;
    });
  }

  /** The VM is gone for good: what was set for it must not meet another one of its name. */
  forget(vm: VmId): Promise<void> {
    return this.#inTurn(async () => {
      const { overrides } = await this.#read();
      const kept = overrides.filter((each) => each.vm !== vm);
      if (kept.length < overrides.length) await writeOverrides(this.#options.stateDir, kept);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  #read(): Promise<ConfigSources> {
    const { configPath, configOptional = false, stateDir, further } = this.#options;
    const more = further === undefined ? {} : { further };
    return readConfigSources(configPath, { stateDir, optional: configOptional, ...more });
  }

  #changed(former: readonly Override[], request: ChangeRequest): readonly Override[] {
    const { changes, author, reason, forMs } = request;
    const atMs = this.#options.clock.now();
    return changes.reduce<readonly Override[]>((all, { vm, path, value }) => {
      const kept = all.filter((each) => each.vm !== vm || !(path === '' || isAtOrBelow(each.path, path)));
      if (value === undefined) return kept;
      const untilMs = forMs === null ? null : atMs + forMs;
      return [...kept, { vm, path, value, author, reason, atMs, untilMs }];
    }, former);
  }

  async #record({ author, reason, forMs }: ChangeRequest, { set, withdrawn }: ChangeView): Promise<void> {
    const { record } = this.#options;
    const why = reason === '' ? '' : `: ${reason}`;
    const until = (ms: number | null) => (ms === null ? '' : ` until ${new Date(ms).toISOString()}`);
    const replaced = new Set(set.map(nameOf));
    await Promise.all([
      ...set.map((each) => {
        const text = `${nameOf(each)} set to ${shown(each.value)} by ${author}${until(each.untilMs)}${why}`;
        return record(each.vm, text, { verb: 'config-set', author, reason, forMs, path: each.path });
      }),
      ...withdrawn
        .filter((each) => !replaced.has(nameOf(each)))
        .map((each) => {
          const text = `what was set as ${nameOf(each)} withdrawn by ${author}${why}`;
          return record(each.vm, text, { verb: 'config-unset', author, reason, path: each.path });
        }),
    ]);
  }

  async #store(former: readonly Override[], next: readonly Override[]): Promise<void> {
    const { stateDir, reload, clock } = this.#options;
    await writeOverrides(stateDir, next);
    try {
      await reload();
    } catch (error) {
      // What a person edited meanwhile may not fit: then nothing of this holds.
      await writeOverrides(stateDir, former);
      throw error;
    }
    this.#awaitEnd(clock.now());
  }

  #awaitEnd(fromMs: number): void {
    const { loaded } = this.#options;
    this.#cancelEnd();
    const { inForce, setAside, idle } = loaded().overrides;
    const all = [...inForce, ...setAside.map(({ override }) => override), ...idle];
    const ends = all.flatMap(({ untilMs }) => untilMs ?? []);
    if (ends.length === 0) return;
    this.#at(Math.max(fromMs, Math.min(...ends)), () => this.#end(all, true));
  }

  #at(atMs: number, work: () => Promise<void>): void {
    this.#cancelEnd();
    if (this.#closed) return;
    this.#cancelEnd = this.#options.clock.at(atMs, () => void this.#inTurn(work));
  }

  /** `inForce`: the running configuration has them still. */
  async #end(known: readonly Override[], inForce: boolean): Promise<void> {
    const { clock, reload, record, stateDir, logger, degrade } = this.#options;
    const over = known.filter((each) => isOver(each, clock.now()));
    let taken = !inForce;
    try {
      if (inForce && over.length > 0) await reload();
      taken = true;
      for (const each of over) {
        const data = { verb: 'config-end', author: each.author, path: each.path };
        await record(each.vm, `${nameOf(each)}, set by ${each.author}, has ended`, data);
      }
      if (over.length > 0) await writeOverrides(stateDir, (await this.#read()).overrides);
      degrade(DEGRADATION, undefined);
      this.#awaitEnd(clock.now());
    } catch (error) {
      const what = taken ? 'that cannot be recorded' : 'it cannot be taken back yet';
      const why = `what was set for a time has ended, and ${what}: ${plainText(errorMessage(error), 1000)}`;
      logger.error({}, why);
      degrade(DEGRADATION, why);
      const againMs = clock.now() + AGAIN_MS;
      if (!taken) this.#awaitEnd(againMs);
      // The running configuration does not know of them any more.
      else this.#at(againMs, () => this.#end(over, false));
    }
  }
}

function isOver({ untilMs }: Override, nowMs: number): boolean {
  return untilMs !== null && untilMs <= nowMs;
}

function refuseFixed({ vm, path }: SettingChange): void {
  if (path === '') return;
  const [first = ''] = path.split('.');
  const refuse = (why: string) => {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${path} cannot be set while the daemon runs: ${why}`);
  };
  if (vm === null && FIXED_DAEMON_OPTIONS.includes(first))
    refuse('it says where the daemon finds things; change the configuration file and restart');
  if (vm !== null && !VM_OPTIONS.includes(first))
    refuse(`of a VM these can: ${VM_OPTIONS.join(', ')}; change its documents and reload`);
}

/** What the next set would change. Throws ERR_VMPULSE_CONFIG for what does not fit. */
function compare(read: ConfigSources, next: readonly Override[], dryRun: boolean): ChangeView {
  const before = compileSources(read);
  const after = compileSources({ ...read, overrides: next });
  refuseMisfits(before.overrides, after.overrides);
  const { changed, daemon } = diffConfig(before, after);
  const [former, latter] = [new Set(read.overrides), new Set(next)];
  return {
    dryRun,
    set: next.filter((each) => !former.has(each)).map(withoutSecrets),
    withdrawn: read.overrides.filter((each) => !latter.has(each)).map(withoutSecrets),
    vms: changed,
    restartRequired: daemon.restartRequired,
  };
}

function refuseMisfits(before: OverrideState, after: OverrideState): void {
  const former = new Set(before.setAside.map(({ override }) => override));
  const problems = after.setAside.filter(({ override }) => !former.has(override)).map(({ why }) => why);
  if (problems.length === 0) return;
  throw new VmpulseError('ERR_VMPULSE_CONFIG', problems.join('\n'), { details: { problems } });
}

/** As it may be told and journalled. */
function withoutSecrets(override: Override): Override {
  return { ...override, value: redact(override.value, override.path) };
}

function nameOf({ vm, path }: Override): string {
  return vm === null ? path : `${path} of ${vm}`;
}

function shown(value: unknown): string {
  return value === null ? 'nothing' : plainText(JSON.stringify(value), 200);
}
