import { kernelMissing } from '../kernel/index.js';
import type { StoredJournalEntry } from '../model/ports.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { DEFAULT_POLICY_CONFIG, type Intent, intentsOf } from '../policy/index.js';
import type { CheckApi } from './checks.js';
import { resolveVm, unitOf } from './find-vm.js';
import type { GuestApi } from './guests.js';
import type { HealthApi } from './health.js';
import type { Heartbeat } from './heartbeats.js';
import type { HistoryApi } from './history.js';
import type { Hooks } from './hooks/hooks.js';
import type { HostNetworking } from './host-networking.js';
import type { ActRequest, ActWork } from './person-acts.js';
import {
  type CommandOptions,
  clearIntentsCommand,
  endMaintenanceCommand,
  holdCommand,
  maintenanceCommand,
  type PersonCommand,
  releaseCommand,
  resumeCommand,
  scheduleCommand,
} from './person-commands.js';
import type { Supervisor } from './supervisor.js';
import type {
  ExplainView,
  HostView,
  MaintenanceView,
  RecoveryPolicyView,
  ReloadView,
  RuntimeApi,
  RuntimeEvent,
  VmView,
} from './views.js';
import type { VmUnit } from './vm-unit.js';
import type { VmpulseOptions } from './vmpulse-options.js';
import { makeVmpulse } from './vmpulse-parts.js';

/** What needs the kernel addon, and what stands in for it. */
const WITHOUT_KERNEL =
  'processes are known by PID and start time instead of pidfds; state directory and starts are not locked against a second vmpulse, so run only one; no canary guest tries KVM; a service manager is not told';

/**
 * The whole runtime, to be embedded: watches VMs, decides, recovers. Takes no signals, reads no environment, writes
 * nothing to the console. The constructor does no I/O; start() does.
 */
export class Vmpulse implements RuntimeApi {
  readonly #options: VmpulseOptions;
  readonly #parts: ReturnType<typeof makeVmpulse>;
  readonly #supervisor: Supervisor;
  readonly network: HostNetworking;
  readonly guests: GuestApi;
  readonly history: HistoryApi;
  readonly hooks: Hooks;
  readonly checks: CheckApi;
  readonly health: HealthApi;
  #closing: Promise<void> | undefined;

  constructor(options: VmpulseOptions) {
    this.#options = options;
    this.#parts = makeVmpulse(options);
    this.#supervisor = this.#parts.supervisor;
    this.network = this.#parts.network;
    this.guests = this.#parts.guests;
    this.history = this.#parts.history;
    this.hooks = this.#parts.hooks;
    this.checks = this.#parts.checks;
    this.health = this.#parts.health;
  }

  /** Looks at every VM, adopts those that run, starts those that should run (where recovery is enabled), probes. */
  async start(): Promise<void> {
    const missing = kernelMissing();
    if (missing !== undefined) this.degrade('kernel-addon', `${WITHOUT_KERNEL}: ${missing.message}`);
    await this.hooks.start();
    await this.network.start(this.#options.vms);
    await this.#supervisor.start(this.#options.vms);
  }

  /**
   * Replaces the set of VMs, and those of the host's networks and limits that are given. A VM that is not named any more
   * is only not watched; its VMM runs on, and so does a bridge.
   */
  async apply(
    vms: readonly VmSpec[],
    { networks, policy }: Pick<VmpulseOptions, 'networks' | 'policy'> = {},
  ): Promise<Omit<ReloadView, 'warnings'>> {
    const startedAtMs = performance.now();
    try {
      const undo = await this.network.apply(vms, networks);
      const applied = await this.#supervisor.apply(vms).catch(async (error: unknown) => {
        await undo();
        throw error;
      });
      if (policy !== undefined) this.#supervisor.setLimits({ ...DEFAULT_POLICY_CONFIG, ...policy });
      return applied;
    } finally {
      this.#parts.metrics.reconciled((performance.now() - startedAtMs) / 1000);
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
    return this.#parts.views.host();
  }

  viewVm(vm: VmId): VmView {
    return this.#parts.views.vm(vm);
  }

  recoveryPolicy(vm: VmId): RecoveryPolicyView {
    return this.#parts.views.recoveryPolicy(vm);
  }

  explain(vm: VmId): Promise<ExplainView> {
    return this.#parts.views.explain(vm);
  }

  async journal(query: {
    readonly afterSeq: number;
    readonly limit: number;
  }): Promise<readonly StoredJournalEntry[]> {
    await this.#supervisor.recorder.settled();
    return this.#parts.journal.read(query);
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
    return resolveVm(this.#supervisor.units, text);
  }

  hold(options: CommandOptions<'hold'>): Promise<void> {
    return this.#command(holdCommand(options, this.#parts.clock.now()));
  }

  resume(options: CommandOptions<'resume'>): Promise<void> {
    return this.#command(resumeCommand(options));
  }

  release(options: CommandOptions<'release'>): Promise<void> {
    return this.#command(releaseCommand(options));
  }

  beginMaintenance(options: CommandOptions<'beginMaintenance'>): Promise<void> {
    return this.#command(maintenanceCommand(options, this.#parts.clock.now()));
  }

  endMaintenance(options: CommandOptions<'endMaintenance'>): Promise<void> {
    return this.#command(endMaintenanceCommand(options));
  }

  schedule(options: CommandOptions<'schedule'>): Promise<void> {
    return this.#command(scheduleCommand(options));
  }

  clearIntents(options: CommandOptions<'clearIntents'>): Promise<void> {
    return this.#command(clearIntentsCommand(options));
  }

  /** Rejects with ERR_VMPULSE_VM_UNKNOWN. */
  async #command({ event, record }: PersonCommand): Promise<void> {
    if (record.vm !== null) this.#unit(record.vm);
    await this.#supervisor.command(event, record);
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

  /**
   * The VM has told that it is well, over a way of the host program's own. Throws ERR_VMPULSE_VM_UNKNOWN, and
   * ERR_VMPULSE_ARGUMENT when the VM has no such probe of kind heartbeat.
   */
  heartbeat(vm: VmId, beat: Heartbeat = {}): void {
    this.#parts.heartbeats.take(this.#unit(vm).spec.id, beat);
  }

  issueHeartbeatToken({ vm, author }: { vm: VmId; author: string }): Promise<string> {
    return this.#parts.heartbeats.issueToken(this.#unit(vm).spec.id, author);
  }

  async receiveHeartbeat(vm: string, token: string, beat: Heartbeat): Promise<void> {
    let id: VmId | undefined;
    try {
      id = this.resolveVm(vm);
    } catch {
      // Who asks without its token does not learn which VMs there are.
    }
    await this.#parts.heartbeats.receive(id, token, beat);
  }

  renderMetrics(encoding: 'identity' | 'gzip'): Promise<Uint8Array<ArrayBuffer>> {
    return this.#parts.metrics.render(encoding);
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
    const { pool, conversations, metrics, engine, ownsEngine } = this.#parts;
    await Promise.all([pool.close(), conversations.close(), metrics.close()]);
    if (ownsEngine) await engine.close();
  }

  #unit(vm: VmId): VmUnit {
    return unitOf(this.#supervisor.units, vm);
  }
}
