import { hostname } from 'node:os';
import { ProbeEngine } from '../engine/index.js';
import type { ProbeEngine as Engine } from '../engine/probe-engine.js';
import { hostBootId } from '../hypervisors/process.js';
import { createDrivers } from '../hypervisors/registry.js';
import { kernelMissing } from '../kernel/index.js';
import type { ActionResult, RecoveryAction } from '../model/action.js';
import { type Clock, systemClock } from '../model/clock.js';
import { VmpulseError } from '../model/errors.js';
import { DEFAULT_HOOK_SETTINGS, type HookSettings } from '../model/hook.js';
import type { HostNetwork } from '../model/link.js';
import { type Logger, silentLogger } from '../model/logger.js';
import type { Driver, StoredJournalEntry } from '../model/ports.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { hostFilter, hostForwarding, hostLinks } from '../network/index.js';
import { DEFAULT_POLICY_CONFIG, explain, type Intent, intentsOf } from '../policy/index.js';
import type { PolicyConfig } from '../policy/types.js';
import { WorkerPool } from '../pool/index.js';
import { HostResolver } from '../probes/dns/host-resolver.js';
import { createRecoveries, type RecoveryOverrides } from '../recovery/registry.js';
import type { BeforeAction } from './action-runner.js';
import { type CheckApi, Checks } from './checks.js';
import type { CustomProbes } from './custom-probes.js';
import { type GuestApi, Guests } from './guests.js';
import { Health, type HealthApi } from './health.js';
import { type Heartbeat, Heartbeats } from './heartbeats.js';
import { History, type HistoryApi } from './history.js';
import { Hooks } from './hooks/hooks.js';
import { hostLinkSource } from './host-links.js';
import { HostNetworking } from './host-networking.js';
import { readHostSigns, readOomKills } from './host-signs.js';
import { pollHost } from './host-watch.js';
import { MemoryJournal, type ObservableJournal } from './journal/index.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import type { ActRequest, ActWork } from './person-acts.js';
import { readOwnStatus } from './raw-rights.js';
import { vmStorage } from './storage/vm-storage.js';
import { Supervisor } from './supervisor.js';
import { VERSION } from './version.js';
import { buildFigures, buildHostFigures, buildHostView, buildVmView } from './view-builder.js';
import type {
  ExplainView,
  HostFigures,
  HostView,
  MaintenanceView,
  RecoveryPolicyView,
  ReloadView,
  RuntimeApi,
  RuntimeEvent,
  ScheduledStep,
  VmView,
} from './views.js';
import type { VmUnit } from './vm-unit.js';

const EXPLAIN_JOURNAL_ENTRIES = 50;
/** What needs the kernel addon, and what stands in for it. */
const WITHOUT_KERNEL =
  'processes are known by PID and start time instead of pidfds; state directory and starts are not locked against a second vmpulse, so run only one; no canary guest tries KVM; a service manager is not told';

export interface VmpulseOptions {
  /** The VMs to watch; loadConfig gives them from files. More by apply(). */
  readonly vms: readonly VmSpec[];
  /** Sockets and per-VM run-time files; default /run/vmpulse. */
  readonly runDir?: string;
  /** Evidence and locks that outlive a run; default /var/lib/vmpulse. */
  readonly stateDir?: string;
  /** Name of this host; default the system's. */
  readonly host?: string;
  /** A ProbeEngine to share; not closed by this object. Default: one of its own. */
  readonly engine?: Engine;
  /** Default: in memory, so that nothing survives a restart. Not closed by this object. */
  readonly journal?: ObservableJournal;
  /** Kinds of probe of the host program, by the name that a check of kind `custom` gives. */
  readonly probes?: CustomProbes;
  /** Programs run at events of VMs; default none but those of the VMs and those that were added. */
  readonly hooks?: HookSettings;
  /** Networks that are made on this host; default none. */
  readonly networks?: readonly HostNetwork[];
  /** Drivers by name, beside or instead of the built-in ones. */
  readonly drivers?: Readonly<Record<string, Driver>>;
  /** Recoveries by ladder step, beside or instead of the built-in ones. */
  readonly recoveries?: RecoveryOverrides;
  /** Host-wide limits; the rest are defaults. */
  readonly policy?: Partial<PolicyConfig>;
  /** Asked before every action; holding is journalled and asked again later. A throw or a time-out holds. */
  readonly beforeAction?: BeforeAction;
  /** While this file exists nothing is done; default `<runDir>/hold`. */
  readonly holdFile?: string;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Longest wait for one durable journal write, ms; default 5000. */
  readonly journalDeadlineMs?: number;
}

/**
 * The whole runtime, to be embedded: watches VMs, decides, recovers. Takes no signals, reads no environment, writes
 * nothing to the console. The constructor does no I/O; start() does.
 */
export class Vmpulse implements RuntimeApi {
  readonly #options: VmpulseOptions;
  readonly #clock: Clock;
  readonly #host: string;
  readonly #engine: Engine;
  readonly #ownsEngine: boolean;
  readonly #journal: ObservableJournal;
  readonly #pool = new WorkerPool();
  /** What talks over the network and mostly waits. */
  readonly #conversations = new WorkerPool({ maxThreads: 1, tasksPerThread: 64 });
  readonly #metrics: Metrics;
  readonly #supervisor: Supervisor;
  readonly #heartbeats: Heartbeats;
  readonly network: HostNetworking;
  readonly guests: GuestApi;
  readonly history: HistoryApi;
  readonly hooks: Hooks;
  readonly checks: CheckApi;
  readonly health: HealthApi;
  readonly #startedAtMs: number;
  #closing: Promise<void> | undefined;

  constructor(options: VmpulseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedAtMs = this.#clock.now();
    this.#host = options.host ?? hostname();
    this.#ownsEngine = options.engine === undefined;
    let fallback: string | undefined;
    this.#engine =
      options.engine ??
      new ProbeEngine({
        onFallback: (error) => {
          fallback = error.message;
        },
      });
    this.#journal = options.journal ?? new MemoryJournal();
    this.#metrics = options.metrics ?? createMetrics();
    const logger = options.logger ?? silentLogger;
    const runDir = options.runDir ?? '/run/vmpulse';
    const stateDir = options.stateDir ?? '/var/lib/vmpulse';
    const resolver = new HostResolver({ clock: this.#clock });
    this.network = new HostNetworking({
      networks: options.networks ?? [],
      hostName: this.#host,
      links: hostLinks,
      forwarding: hostForwarding,
      filter: hostFilter,
      journal: this.#journal,
      journalDeadlineMs: options.journalDeadlineMs ?? 5_000,
      clock: this.#clock,
      unavailable: kernelMissing,
      isRunning: (vm) => this.#supervisor.units.get(vm)?.session !== undefined,
      recorder: () => this.#supervisor.recorder,
      degrade: (what, why) => this.#supervisor.degrade(what, why),
    });
    this.hooks = new Hooks({
      settings: options.hooks ?? DEFAULT_HOOK_SETTINGS,
      stateDir,
      runDir,
      host: this.#host,
      clock: this.#clock,
      recorder: () => this.#supervisor.recorder,
      spec: (vm) => this.#unit(vm).spec,
      specs: () => this.specs(),
      degrade: (what, why) => this.degrade(what, why),
      onRun: (event, result) => this.#metrics.hook(event, result),
    });
    this.#supervisor = new Supervisor({
      host: this.#host,
      version: VERSION,
      hostBootId,
      watchHost: pollHost(readHostSigns, this.#clock),
      oomKills: readOomKills,
      ownStatus: readOwnStatus,
      ...(kernelMissing() === undefined
        ? { links: hostLinkSource((why) => this.degrade('links', why)) }
        : {}),
      network: this.network.port,
      engine: this.#engine,
      journal: this.#journal,
      drivers: {
        ...createDrivers({
          engine: this.#engine,
          pool: this.#pool,
          network: this.network.port,
          storage: vmStorage(stateDir),
          runDir,
          stateDir,
        }),
        ...options.drivers,
      },
      probes: options.probes ?? {},
      probeHost: {
        runInPool: (worker, args, call) => this.#pool.run(worker, args, call),
        runTogether: (worker, args, call) => this.#conversations.run(worker, args, call),
        resolveHost: (host, call) => resolver.resolve(host, call),
      },
      recoveries: createRecoveries(options.recoveries),
      policy: { ...DEFAULT_POLICY_CONFIG, ...options.policy },
      clock: this.#clock,
      logger,
      journalDeadlineMs: options.journalDeadlineMs ?? 5_000,
      hooks: this.hooks,
      holdFile: options.holdFile ?? `${runDir}/hold`,
      ...(options.beforeAction === undefined ? {} : { beforeAction: options.beforeAction }),
      onDecision: ({ vm, kind, rule }) => {
        if (vm !== null && kind === 'hold' && rule === 'edit-war') this.#metrics.thrash(vm);
      },
      onRecovery: (action: RecoveryAction, result: ActionResult) =>
        this.#metrics.recovery(action.step, result.result),
    });
    this.#heartbeats = new Heartbeats({
      journal: this.#journal,
      deadlineMs: options.journalDeadlineMs ?? 5_000,
      clock: this.#clock,
      recorder: this.#supervisor.recorder,
      units: this.#supervisor.units,
    });
    this.history = new History(this.#journal, () => this.#supervisor.recorder.settled());
    this.checks = new Checks(
      (vm) => this.#unit(vm),
      (vm) => this.viewVm(vm).probes,
    );
    this.health = new Health({
      view: () => this.view(),
      viewVm: (vm) => this.viewVm(vm),
      unit: (vm) => this.#unit(vm),
      degradations: () => this.#supervisor.degradations,
      command: (event, record) => this.#supervisor.command(event, record),
    });
    this.guests = new Guests((vm) => this.#unit(vm), this.#supervisor.recorder);
    if (fallback !== undefined) this.degrade('engine', `the portable engine is used: ${fallback}`);
    this.#metrics.bind({
      engineStats: () => this.#engine.stats(),
      hostFigures: () => this.#figures(),
      vmFigures: () => buildFigures(this.#supervisor, this.#supervisor.listed),
      degrade: (why) => this.#supervisor.degrade('metrics', why),
    });
  }

  /** Looks at every VM, adopts those that run, starts those that should run (where recovery is enabled), probes. */
  async start(): Promise<void> {
    const missing = kernelMissing();
    if (missing !== undefined) this.degrade('kernel-addon', `${WITHOUT_KERNEL}: ${missing.message}`);
    await this.hooks.start();
    await this.network.start(this.#options.vms);
    await this.#supervisor.start(this.#options.vms);
  }

  /** Replaces the set of VMs. A VM that is not named any more is only not watched; its VMM runs on. */
  async apply(vms: readonly VmSpec[]): Promise<Omit<ReloadView, 'warnings'>> {
    const startedAtMs = performance.now();
    try {
      await this.network.apply(vms);
      return await this.#supervisor.apply(vms);
    } finally {
      this.#metrics.reconciled((performance.now() - startedAtMs) / 1000);
    }
  }

  /** Why nothing goes on any more, or undefined while all does; for a watchdog of the host. */
  stuck(): string | undefined {
    return this.#supervisor.stuck();
  }

  /** Shows that something beside the runtime works only in part; status lists it. */
  degrade(what: string, why: string): void {
    this.#supervisor.degrade(what, why);
  }

  /** What was shown by degrade() is over. */
  mend(what: string): void {
    this.#supervisor.degrade(what, undefined);
  }

  view(): HostView {
    return buildHostView(this.#supervisor, {
      version: VERSION,
      host: this.#host,
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      nowMs: this.#clock.now(),
      engine: this.#engine.backend,
      degradations: this.#supervisor.degradations,
    });
  }

  #figures(): HostFigures {
    return buildHostFigures(this.#supervisor, {
      version: VERSION,
      startedAtMs: this.#startedAtMs,
      nowMs: this.#clock.now(),
      degradations: this.#supervisor.degradations,
    });
  }

  viewVm(vm: VmId): VmView {
    return buildVmView(this.#supervisor, this.#unit(vm));
  }

  recoveryPolicy(vm: VmId): RecoveryPolicyView {
    const { recovery, recoveryOrigins = {} } = this.#unit(vm).spec;
    return { vm, recovery, origins: recoveryOrigins };
  }

  async explain(vm: VmId): Promise<ExplainView> {
    const unit = this.#unit(vm);
    await this.#supervisor.recorder.settled();
    // A journal that cannot be read is a degradation of its own; the explanation does not depend on it.
    const newest = this.#journal.query({ vm, order: 'newest', limit: EXPLAIN_JOURNAL_ENTRIES });
    const { entries } = await newest.catch(() => ({ entries: [] }));
    const explanation = explain(this.#supervisor.state, vm, this.#clock.now());
    return {
      ...explanation,
      vmm: buildVmView(this.#supervisor, unit).vmm,
      degradations: this.#supervisor.degradationsOf(vm),
      journal: entries.map(({ seq, atMs, type, text }) => ({ seq, atMs, type, text })).reverse(),
    };
  }

  async journal(query: {
    readonly afterSeq: number;
    readonly limit: number;
  }): Promise<readonly StoredJournalEntry[]> {
    await this.#supervisor.recorder.settled();
    return this.#journal.read(query);
  }

  /** How the VM is to be. Throws ERR_VMPULSE_VM_UNKNOWN. */
  spec(vm: VmId): VmSpec {
    return this.#unit(vm).spec;
  }

  /** How all VMs that are watched are to be. */
  specs(): readonly VmSpec[] {
    return [...this.#supervisor.units.values()].map(({ spec }) => spec);
  }

  resolveVm(text: string): VmId {
    const ids = [...this.#supervisor.units.keys()];
    const byUuid = [...this.#supervisor.units.values()].find(({ spec }) => spec.uuid === text.toLowerCase());
    if (byUuid) return byUuid.spec.id;
    if (ids.includes(text)) return text;
    const named = ids.filter((id) => id.endsWith(`/${text}`));
    if (named.length === 1 && named[0] !== undefined) return named[0];
    if (named.length > 1) {
      throw new VmpulseError(
        'ERR_VMPULSE_ARGUMENT',
        `VM name ${text} is ambiguous; say which: ${named.join(', ')}`,
      );
    }
    const near = ids.filter((id) => id.includes(text)).slice(0, 5);
    const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; vmpulse status lists the VMs';
    throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM named ${text} is watched${hint}`);
  }

  async hold(options: {
    vm: VmId | null;
    reason: string;
    author: string;
    forMs: number | null;
  }): Promise<void> {
    const { vm, reason, author, forMs } = options;
    if (vm !== null) this.#unit(vm);
    const untilMs = forMs === null ? null : this.#clock.now() + forMs;
    const until = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
    await this.#supervisor.command(
      { type: 'hold', vm, reason, author, untilMs },
      {
        vm,
        text: `recovery of ${vm ?? 'all VMs'} held by ${author}${until}: ${reason}`,
        data: { verb: 'hold', author, reason, untilMs },
      },
    );
  }

  async resume(options: { vm: VmId | null; author: string }): Promise<void> {
    const { vm, author } = options;
    if (vm !== null) this.#unit(vm);
    await this.#supervisor.command(
      { type: 'unhold', vm, author },
      { vm, text: `recovery of ${vm ?? 'all VMs'} resumed by ${author}`, data: { verb: 'resume', author } },
    );
  }

  async release(options: { vm: VmId; author: string }): Promise<void> {
    const { vm, author } = options;
    this.#unit(vm);
    await this.#supervisor.command(
      { type: 'release', vm, author },
      { vm, text: `${vm} released from quarantine by ${author}`, data: { verb: 'release', author } },
    );
  }

  async beginMaintenance(options: {
    vm: VmId;
    reason: string;
    author: string;
    forMs: number | null;
  }): Promise<void> {
    const { vm, reason, author, forMs } = options;
    this.#unit(vm);
    const untilMs = forMs === null ? null : this.#clock.now() + forMs;
    await this.#supervisor.command(
      { type: 'maintenance', vm, author, begin: { reason, untilMs } },
      {
        vm,
        text: `maintenance of ${vm} begun by ${author}: ${reason}`,
        data: { verb: 'maintenance', author, reason, untilMs },
      },
    );
  }

  async endMaintenance({ vm, author }: { vm: VmId; author: string }): Promise<void> {
    this.#unit(vm);
    await this.#supervisor.command(
      { type: 'maintenance', vm, author, begin: null },
      { vm, text: `maintenance of ${vm} ended by ${author}`, data: { verb: 'end-maintenance', author } },
    );
  }

  async schedule(options: { vm: VmId; step: ScheduledStep; reason: string; author: string }): Promise<void> {
    const { vm, step, reason, author } = options;
    this.#unit(vm);
    await this.#supervisor.command(
      { type: 'schedule', vm, step, reason, author },
      {
        vm,
        text: `${step} of ${vm} scheduled by ${author}: ${reason}`,
        data: { verb: 'schedule', step, author },
      },
    );
  }

  /**
   * Has a VM started, stopped and so on for a person: waits for what is in flight, is journalled with its author, and
   * keeps automation away meanwhile. A stop holds until somebody starts or releases the VM. Resolves with what was done.
   * Errors: those of PersonActs.run and of the driver.
   */
  act(request: ActRequest, work: ActWork): Promise<string> {
    return this.#supervisor.act(request, work);
  }

  /** Journals what a person did beside the runtime; resolves once durable, rejects with ERR_VMPULSE_JOURNAL. */
  record(vm: VmId | null, text: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#supervisor.recorder.durable({ vm, type: 'operator', actionId: null, text, data });
  }

  intents(): readonly Intent[] {
    return intentsOf(this.#supervisor.state);
  }

  maintenance(): readonly MaintenanceView[] {
    return this.#supervisor.maintenance;
  }

  async clearIntents({ vm, author }: { vm: VmId | null; author: string }): Promise<void> {
    if (vm !== null) this.#unit(vm);
    await this.#supervisor.command(
      { type: 'clear-intents', vm, author },
      {
        vm,
        text: `intents of ${vm ?? 'all'} withdrawn by ${author}`,
        data: { verb: 'clear-intents', author },
      },
    );
  }

  /**
   * The VM has told that it is well, over a way of the host program's own. Throws ERR_VMPULSE_VM_UNKNOWN, and
   * ERR_VMPULSE_ARGUMENT when the VM has no such probe of kind heartbeat.
   */
  heartbeat(vm: VmId, beat: Heartbeat = {}): void {
    this.#heartbeats.take(this.#unit(vm).spec.id, beat);
  }

  issueHeartbeatToken({ vm, author }: { vm: VmId; author: string }): Promise<string> {
    return this.#heartbeats.issueToken(this.#unit(vm).spec.id, author);
  }

  async receiveHeartbeat(vm: string, token: string, beat: Heartbeat): Promise<void> {
    let id: VmId | undefined;
    try {
      id = this.resolveVm(vm);
    } catch {
      // Who asks without its token does not learn which VMs there are.
    }
    await this.#heartbeats.receive(id, token, beat);
  }

  renderMetrics(encoding: 'identity' | 'gzip'): Promise<Uint8Array<ArrayBuffer>> {
    return this.#metrics.render(encoding);
  }

  events(options: { afterId?: number; signal: AbortSignal }): AsyncIterableIterator<RuntimeEvent> {
    return this.#supervisor.recorder.events(options);
  }

  /** Saves what is known and lets go; VMMs run on. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#supervisor.close();
    await this.hooks.close();
    await Promise.all([this.#pool.close(), this.#conversations.close(), this.#metrics.close()]);
    if (this.#ownsEngine) await this.#engine.close();
  }

  #unit(vm: VmId): VmUnit {
    const unit = this.#supervisor.units.get(vm);
    if (!unit)
      throw new VmpulseError(
        'ERR_VMPULSE_VM_UNKNOWN',
        `no VM ${vm} is watched; vmpulse status lists the VMs`,
      );
    return unit;
  }
}
