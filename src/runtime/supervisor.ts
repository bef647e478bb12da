import { channel } from 'node:diagnostics_channel';
import type { ProbeEngine } from '../engine/probe-engine.js';
import type { ActionResult, RecoveryAction } from '../model/action.js';
import type { Clock } from '../model/clock.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { HookEvent } from '../model/hook.js';
import type { Logger } from '../model/logger.js';
import type { Driver, NetworkPort, VmmEvent } from '../model/ports.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { Decision, PolicyConfig, PolicyEffect, PolicyEvent, PolicyState } from '../policy/types.js';
import type { ProbeHost } from '../probes/external.js';
import type { RecoveryRegistry } from '../recovery/registry.js';
import { ActionRunner, type BeforeAction } from './action-runner.js';
import { ActivityWatch } from './activity-watch.js';
import type { CustomProbes } from './custom-probes.js';
import { Degradations } from './degradations.js';
import { EngineEvents } from './engine-events.js';
import { ExternalRunner } from './external-runner.js';
import { readFormerRun } from './former-run.js';
import type { HookPort } from './hooks/hook-views.js';
import { hookOf, whyNow } from './hooks/why.js';
import type { WatchHost } from './host-watch.js';
import { InputLog } from './input-log.js';
import { Inventory } from './inventory.js';
import type { ObservableJournal } from './journal/index.js';
import { JournalWatch } from './journal-watch.js';
import { type LinkSource, LinkWatch } from './link-watch.js';
import { Maintenance } from './maintenance/maintenance.js';
import { OomWatch } from './oom-watch.js';
import { type ActRequest, type ActWork, PersonActs } from './person-acts.js';
import { PolicyLoop } from './policy-loop.js';
import { type Listing, ReadinessList } from './readiness-list.js';
import { Recorder } from './recorder.js';
import { StateSaver } from './state-saver.js';
import { StateStore } from './state-store.js';
import type { Degradation, MaintenanceView, ReloadView } from './views.js';
import type { VmUnit } from './vm-unit.js';
import { monitorProblem, vmmEventText } from './vmm-event-text.js';

/** Timers are late on a busy host; this late is something else. */
const MAX_OVERDUE_MS = 5_000;

export interface SupervisorOptions {
  /** Name of this host in views and journal. */
  readonly host: string;
  readonly version: string;
  /** Another one after each boot of the host. */
  readonly hostBootId: () => string;
  /** What is seen of the host itself; unset: it is not looked at. */
  readonly watchHost?: WatchHost;
  /** Network devices of the host; unset: they are not looked at. */
  readonly links?: LinkSource;
  /** Keeps the host's side of the VMs' networks; unset: nobody does. */
  readonly network?: NetworkPort;
  /** Processes that the kernel ended for want of memory so far; unset: not known. */
  readonly oomKills?: () => number;
  /** Text of /proc/self/status, for the rights of this process; unset: nothing is known of them. */
  readonly ownStatus?: () => string;
  readonly engine: ProbeEngine;
  readonly journal: ObservableJournal;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly probes: CustomProbes;
  readonly probeHost: ProbeHost;
  readonly recoveries: RecoveryRegistry;
  readonly policy: PolicyConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly journalDeadlineMs: number;
  readonly beforeAction?: BeforeAction;
  readonly holdFile?: string;
  /** Told of starts, stops, failures and recoveries, and asked before the first two; unset: nobody is. */
  readonly hooks?: HookPort;
  readonly onDecision?: (decision: Decision) => void;
  readonly onRecovery?: (action: RecoveryAction, result: ActionResult) => void;
}

/**
 * Ties engine, policy, drivers and journal together: transitions and VMM events in, policy decides, effects out.
 * Everything it is made of comes from outside, so that it runs the same on a fake clock with recording drivers.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #inventory: Inventory;
  readonly #degradations: Degradations;
  readonly #recorder: Recorder;
  readonly #inputs: InputLog;
  readonly #store: StateStore;
  readonly #runner: ActionRunner;
  readonly #externals: ExternalRunner;
  readonly #abort = new AbortController();
  /** From the moment on at which all VMs are known. */
  #readiness: ReadinessList | undefined;
  readonly #saver: StateSaver;
  readonly #events: EngineEvents;
  readonly #journalWatch: JournalWatch;
  #ignoreHost: () => void = () => {};
  readonly #activity: ActivityWatch;
  readonly #oom: OomWatch | undefined;
  readonly #links: LinkWatch | undefined;
  readonly #maintenance: Maintenance;
  readonly #acts: PersonActs;
  #loop: PolicyLoop | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { clock, journal, logger, journalDeadlineMs } = options;
    this.#degradations = new Degradations(clock);
    this.#store = new StateStore(journal, journalDeadlineMs, logger);
    this.#recorder = new Recorder({
      journal,
      clock,
      logger,
      deadlineMs: journalDeadlineMs,
    });
    this.#inputs = new InputLog(this.#recorder);
    this.#externals = new ExternalRunner(options.engine, clock);
    this.#inventory = new Inventory({
      engine: options.engine,
      drivers: options.drivers,
      customProbes: options.probes,
      externals: this.#externals,
      probeHost: options.probeHost,
      ownStatus: options.ownStatus ?? (() => ''),
      clock,
      hostBootId: options.hostBootId,
      degradations: this.#degradations,
      signal: this.#abort.signal,
      post: (event) => this.#post(event),
      onVmmEvent: (unit, event, atMs) => this.#onVmmEvent(unit, event, atMs),
      onAttached: (unit, fresh) => {
        this.#links?.attached(unit);
        if (fresh) this.#runHooks(unit, 'post-start', 'started by others');
      },
      isActedOn: (vm) => this.#isActedOn(vm),
    });
    this.#saver = new StateSaver({
      store: this.#store,
      engine: options.engine,
      state: () => this.#policyLoop.state,
      clock,
      logger,
    });
    this.#journalWatch = new JournalWatch({
      journal,
      store: this.#store,
      deadlineMs: journalDeadlineMs,
      post: (event) => this.#post(event),
      degrade: (what, why) => this.degrade(what, why),
    });
    this.#activity = new ActivityWatch(clock, (event) => this.#post(event));
    this.#links =
      options.links &&
      new LinkWatch({
        source: options.links,
        clock,
        units: this.#inventory.units,
        tell: (unit, event, atMs) => this.#onVmmEvent(unit, event, atMs),
      });
    this.#oom = options.oomKills && new OomWatch(options.oomKills, clock);
    this.#events = new EngineEvents({
      index: this.#inventory.index,
      recorder: this.#recorder,
      oom: this.#oom,
      post: (event) => this.#post(event),
      onVmmEvent: (unit, event, atMs) => this.#onVmmEvent(unit, event, atMs),
      onChange: () => this.#saver.engineChanged(),
      degrade: (what, why) => this.degrade(what, why),
    });
    this.#runner = new ActionRunner({
      recoveries: options.recoveries,
      recorder: this.#recorder,
      clock,
      network: options.network,
      beforeAction: options.beforeAction,
      holdFile: options.holdFile,
      hooks: options.hooks,
      why: (vm) => whyNow(this.#policyLoop.state.vms.get(vm), 'started'),
      post: (event) => this.#post(event),
      look: (unit) => this.#inventory.look(unit, true),
      persist: (vm) => this.#store.saveVm(this.#policyLoop.state, vm),
      onResult: (action, result) => {
        this.#maintenance.noteAction(action, result);
        options.onRecovery?.(action, result);
      },
    });
    this.#acts = new PersonActs({
      units: this.#inventory.units,
      recorder: this.#recorder,
      now: () => clock.now(),
      post: (event) => this.#post(event),
      look: (unit, fresh) => this.#inventory.look(unit, fresh),
      persist: (vm) => this.#store.saveVm(this.#policyLoop.state, vm),
      hooks: options.hooks,
    });
    this.#maintenance = new Maintenance({
      clock,
      recorder: this.#recorder,
      units: this.#inventory.units,
      state: () => this.#policyLoop.state,
      post: (event) => this.#post(event),
      holdFile: options.holdFile,
      save: (last) => this.#store.saveMaintenance(last).catch((error) => this.#saver.failed(error)),
    });
  }

  /** Carries out what a person wants, as soon as nothing else is being done to the VM. See PersonActs.run. */
  async act(request: ActRequest, work: ActWork): Promise<string> {
    this.#assertOpen();
    return this.#acts.run(request, work);
  }

  #isActedOn(vm: VmId): boolean {
    const known = this.#loop?.state.vms.get(vm);
    return known?.action?.unresolved === false || known?.act != null;
  }

  /** Restores what a former run knew, looks at every VM, adopts those that run, and begins to probe. */
  async start(vms: readonly VmSpec[]): Promise<void> {
    this.#assertOpen();
    const { engine, clock, host, version } = this.#options;
    const { state, unread } = await readFormerRun(this.#store, this.#recorder, this.#options);
    this.#loop = new PolicyLoop({
      state,
      clock,
      onEvent: (event) => this.#inputs.note(event),
      onDecisions: (decisions) => this.#onDecisions(decisions),
      onEffect: (effect) => this.#onEffect(effect),
      onStep: () => this.#readiness?.changed(),
      onViolation: (what) => this.degrade('policy', `${what}; all recovery holds, please report it`),
    });
    this.#recorder.note({
      vm: null,
      type: 'daemon',
      actionId: null,
      text: `vmpulse ${version} watches ${vms.length} VMs on ${host}`,
      data: { version, host, vms: vms.length, engine: engine.backend, remembered: state.vms.size },
    });
    const known = new Set(vms.map((vm) => vm.id));
    for (const id of state.vms.keys()) if (!known.has(id)) this.#post({ type: 'vm-removed', vm: id });
    this.#journalWatch.start(unread);
    this.#events.start(engine.transitions({ signal: this.#abort.signal }));
    await this.#saver.noteHostBoot(this.#options.hostBootId(), () => this.#post({ type: 'host-booted' }));
    const { watchHost } = this.#options;
    if (watchHost) this.#ignoreHost = watchHost((signs) => this.#post({ type: 'host-signs', signs }));
    this.#oom?.start();
    this.#watchLinks();
    this.#post({ type: 'gathering', gathering: true });
    await Promise.all(vms.map((vm) => this.#inventory.watch(vm)));
    this.#post({ type: 'gathering', gathering: false });
    this.#readiness = new ReadinessList({
      clock,
      logger: this.#options.logger,
      state: () => this.#policyLoop.state,
      before: await this.#store.loadListed(),
      save: (listed) => this.#store.saveListed(listed),
    });
    this.#maintenance.start(await this.#store.loadMaintenance());
    this.#saver.policyChanged();
  }

  /** Applies a new set of VMs. A VM that is no longer named is only not watched any more; nothing is stopped. */
  async apply(vms: readonly VmSpec[]): Promise<Omit<ReloadView, 'warnings'>> {
    this.#assertOpen();
    const next = new Map(vms.map((vm) => [vm.id, vm]));
    const { units } = this.#inventory;
    const removed = [...units.keys()].filter((id) => !next.has(id));
    for (const id of removed) {
      this.#activity.unwatch(id);
      await this.#inventory.unwatch(id);
    }
    const added: VmId[] = [];
    const changed: { id: VmId; restartRequired: boolean }[] = [];
    for (const vm of vms) {
      const unit = units.get(vm.id);
      if (!unit) {
        added.push(vm.id);
        await this.#inventory.watch(vm);
      } else if (JSON.stringify(unit.spec) !== JSON.stringify(vm)) {
        await this.#inventory.reconfigure(unit, vm);
        changed.push({ id: vm.id, restartRequired: unit.restartRequired });
      }
    }
    this.#maintenance.sync();
    const text = `configuration applied: ${added.length} added, ${removed.length} removed, ${changed.length} changed`;
    this.#recorder.note({
      vm: null,
      type: 'operator',
      actionId: null,
      text,
      data: { added, removed, changed },
    });
    return { added, removed, changed };
  }

  /** Something outside the supervisor works only in part; `why` undefined: it works again. */
  degrade(what: string, why: string | undefined): void {
    if (why === undefined) {
      this.#degradations.clear(what);
      return;
    }
    this.#degradations.set(what, why);
    this.#options.logger.warn({ what }, why);
  }

  /** Why nothing goes on any more, or undefined: the policy is asked in time, and the engine is heard and runs. */
  stuck(): string | undefined {
    if (this.#closing) return 'it is closed';
    if (this.#loop === undefined) return 'it was not started';
    if (this.#events.ended) return 'the events of the engine are not heard any more';
    if (this.#loop.overdueMs > MAX_OVERDUE_MS) return 'the policy is not asked any more';
    // Throws when the engine is closed or its reactors cannot be reached.
    const { reactorsDown } = this.#options.engine.stats();
    return reactorsDown > 0 ? `${reactorsDown} reactors of the engine are down` : undefined;
  }

  /** Everything the policy knows. */
  get state(): PolicyState {
    return this.#policyLoop.state;
  }

  /** The place of a VM in the list of endpoints. */
  listing(vm: VmId): Listing {
    return this.#readiness?.of(vm) ?? { listed: false, keptBy: null };
  }

  /** Who stands in the list of endpoints now. */
  get listed(): ReadonlySet<VmId> {
    return this.#readiness?.listed ?? new Set();
  }

  get units(): ReadonlyMap<VmId, VmUnit> {
    return this.#inventory.units;
  }

  get recorder(): Recorder {
    return this.#recorder;
  }

  get maintenance(): readonly MaintenanceView[] {
    return this.#maintenance.list;
  }

  get degradations(): readonly Degradation[] {
    return this.#degradations.list();
  }

  degradationsOf(vm: VmId): readonly Degradation[] {
    return this.#degradations.about(vm);
  }

  /** A person's command: recorded with its author, given to the policy, and kept across a restart. */
  async command(
    event: PolicyEvent,
    record: { vm: VmId | null; text: string; data: Record<string, unknown> },
  ): Promise<void> {
    this.#assertOpen();
    this.#recorder.note({ ...record, type: 'operator', actionId: null });
    if (event.type === 'unhold' && event.vm === null) await this.#journalWatch.acceptLoss();
    this.#post(event);
    await this.#saver.savePolicy();
  }

  /** Saves what is known and lets go of everything; VMMs run on. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#saver.cancel();
    this.#readiness?.close();
    this.#journalWatch.stop();
    this.#ignoreHost();
    this.#activity.stop();
    this.#oom?.stop();
    this.#links?.stop();
    await this.#maintenance.close();
    await this.#acts.close();
    await this.#runner.close();
    await this.#externals.close();
    if (this.#loop) {
      await this.#saver.savePolicy();
      await this.#saver.saveEngine();
      await this.#readiness?.save();
      this.#loop.stop();
    }
    this.#abort.abort();
    await this.#events.settled();
    await this.#inventory.close();
    await this.#recorder.settled();
  }

  #watchLinks(): void {
    try {
      this.#links?.start();
    } catch (error) {
      this.degrade('links', `changes of network devices are not heard of: ${errorMessage(error)}`);
    }
  }

  get #policyLoop(): PolicyLoop {
    if (!this.#loop)
      throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the supervisor was not started; call start() first');
    return this.#loop;
  }

  #assertOpen(): void {
    if (this.#closing) throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the supervisor is closed');
  }

  #post(event: PolicyEvent): void {
    this.#loop?.post(event);
  }

  #onVmmEvent(unit: VmUnit, event: VmmEvent, atMs: number): void {
    const { id } = unit.spec;
    const text = vmmEventText(event);
    this.#recorder.note({ vm: id, type: 'vmm-event', actionId: null, atMs, text, data: { ...event } });
    if (event.type === 'exited') {
      this.#degradations.clear(`monitor/${id}`);
      this.#runHooks(unit, 'post-stop', 'ended by itself');
    }
    if (event.type === 'monitor') this.#noteMonitor(id, event);
    this.#maintenance.noteVmmEvent(id, event);
    this.#post({ type: 'vmm-event', vm: id, event, atMs });
  }

  #runHooks(unit: VmUnit, event: HookEvent, otherwise: string): void {
    this.#options.hooks?.note(event, unit.spec, whyNow(this.#loop?.state.vms.get(unit.spec.id), otherwise));
  }

  #noteMonitor(id: VmId, event: VmmEvent & { readonly type: 'monitor' }): void {
    const problem = monitorProblem(event);
    if (problem === undefined) this.#degradations.clear(`monitor/${id}`);
    else this.degrade(`monitor/${id}`, problem);
  }

  #onDecisions(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const { vm, kind, rule, text, actionId, data } = decision;
      this.#options.onDecision?.(decision);
      const type = kind === 'health' ? 'health' : 'decision';
      this.#recorder.note({ vm, type, actionId, text, data: { kind, rule, ...data } });
      const hook = hookOf(decision);
      const unit = vm === null ? undefined : this.#inventory.units.get(vm);
      if (hook && unit) this.#options.hooks?.note(hook.event, unit.spec, hook.why);
    }
    this.#saver.policyChanged();
  }

  #onEffect(effect: PolicyEffect): void {
    if (effect.type === 'escalate') {
      const { vm, text } = effect;
      this.#options.logger.error({ vm }, text);
      channel('vmpulse:escalate').publish({ vm, text });
      return;
    }
    const id = effect.type === 'recover' ? effect.action.vm : effect.vm;
    const unit = this.#inventory.units.get(id);
    if (!unit) return;
    switch (effect.type) {
      case 'confirm':
        void unit
          .confirm(effect.probes, effect.timeoutMs)
          .then((outcomes) =>
            this.#post({ type: 'confirmed', vm: id, confirmId: effect.confirmId, outcomes }),
          );
        return;
      case 'act':
        this.#acts.grant(effect.id);
        return;
      case 'recover':
        this.#runner.run(effect.action, unit);
        return;
      case 'watch-activity':
        this.#inputs.beginWatch(id);
        if (effect.watch) this.#activity.watch(unit);
        else this.#activity.unwatch(id);
        return;
      case 'suspend-probes':
        unit.suspend(true);
        return;
      case 'resume-probes':
        unit.suspend(false);
        return;
      case 'new-instance':
        unit.newInstance();
        return;
      case 'restart-probes':
        unit.restartProbes();
        return;
    }
  }
}
