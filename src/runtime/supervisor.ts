import { isDeepStrictEqual } from 'node:util';
import { VmpulseError } from '../model/errors.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { PolicyConfig, PolicyEvent, PolicyState } from '../policy/types.js';
import { applySpecs } from './apply-specs.js';
import type { CertificateView } from './certificate-watch.js';
import { ChangedVms } from './changed-vms.js';
import { Degradations } from './degradations.js';
import { readFormerRun } from './former-run.js';
import type { ActRequest, ActWork } from './person-acts.js';
import { PolicyLoop } from './policy-loop.js';
import { type Listing, ReadinessList } from './readiness-list.js';
import type { Recorder } from './recorder.js';
import type { SupervisorOptions } from './supervisor-options.js';
import { makeParts, type SupervisorParts } from './supervisor-parts.js';
import type { Degradation, MaintenanceView, ReloadView } from './views.js';
import type { VmUnit } from './vm-unit.js';

/** Timers are late on a busy host; this late is something else. */
const MAX_OVERDUE_MS = 5_000;

/**
 * Ties engine, policy, drivers and journal together: transitions and VMM events in, policy decides, effects out.
 * Everything it is made of comes from outside, so that it runs the same on a fake clock with recording drivers.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #changed = new ChangedVms();
  readonly #degradations: Degradations;
  readonly #abort = new AbortController();
  readonly #parts: SupervisorParts;
  /** From the moment on at which all VMs are known. */
  #readiness: ReadinessList | undefined;
  #loop: PolicyLoop | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#degradations = new Degradations(options.clock, (vm) => this.#changed.add([vm]));
    this.#parts = makeParts(options, {
      degradations: this.#degradations,
      post: (event) => this.#post(event),
      degrade: (what, why) => this.degrade(what, why),
      known: () => this.#loop?.state,
      state: () => this.#policyLoop.state,
      signal: this.#abort.signal,
      changed: (vm) => this.#changed.add([vm]),
      onViolation: (what) => this.#holdAll(what),
    });
  }

  /** Carries out what a person wants, as soon as nothing else is being done to the VM. See PersonActs.run. */
  async act(request: ActRequest, work: ActWork): Promise<string> {
    this.#assertOpen();
    return this.#parts.acts.run(request, work);
  }

  /** Restores what a former run knew, looks at every VM, adopts those that run, and begins to probe. */
  async start(vms: readonly VmSpec[]): Promise<void> {
    this.#assertOpen();
    const { engine, clock, host, version, policy: limits } = this.#options;
    const { store, recorder, inputs, output, saver, inventory, maintenance } = this.#parts;
    const { state, storedAtMs, unread } = await readFormerRun(store, recorder, this.#options);
    this.#loop = new PolicyLoop({
      state,
      clock,
      onEvent: (event) => inputs.note(event),
      onDecisions: (decisions) => {
        for (const decision of decisions) output.tell(decision);
        saver.policyChanged();
      },
      onEffect: (effect) => output.do(effect),
      onStep: (looked) => {
        saver.looked(looked);
        this.#changed.add(looked);
        this.#readiness?.changed(looked);
      },
      onViolation: (what) => this.#holdAll(what),
    });
    recorder.note({
      vm: null,
      type: 'daemon',
      actionId: null,
      text: `vmpulse ${version} watches ${vms.length} VMs on ${host}`,
      data: {
        ...{ version, host, vms: vms.length, engine: engine.backend },
        // For a replay: what its policy begins with.
        ...{ limits, remembered: state.vms.size, storedAtMs },
      },
    });
    const known = new Set(vms.map((vm) => vm.id));
    for (const id of state.vms.keys()) if (!known.has(id)) this.#post({ type: 'vm-removed', vm: id });
    this.#parts.journalWatch.start(unread);
    this.#parts.events.start(engine.transitions({ signal: this.#abort.signal }));
    await saver.noteHostBoot(this.#options.hostBootId(), () => this.#post({ type: 'host-booted' }));
    this.#parts.hostWatches.start();
    this.#post({ type: 'gathering', gathering: true });
    await Promise.all(vms.map((vm) => inventory.watch(vm)));
    this.#parts.certificates.restore(await store.loadCertificates());
    this.#parts.certificates.start();
    this.#post({ type: 'gathering', gathering: false });
    this.#readiness = new ReadinessList({
      clock,
      logger: this.#options.logger,
      state: () => this.#policyLoop.state,
      before: await store.loadListed(),
      save: (listed) => store.saveListed(listed),
      onOthers: (listed) => this.#changed.add(listed),
    });
    maintenance.start(await store.loadMaintenance());
    saver.policyChanged();
  }

  /** Applies a new set of VMs. A VM that is no longer named is only not watched any more; nothing is stopped. */
  async apply(vms: readonly VmSpec[]): Promise<Omit<ReloadView, 'warnings'>> {
    this.#assertOpen();
    const { inventory, activity, maintenance, recorder } = this.#parts;
    const applied = await applySpecs(inventory, vms, (vm) => activity.unwatch(vm));
    const { added, removed, changed } = applied;
    this.#changed.addAll();
    maintenance.sync();
    this.#parts.certificates.start();
    const text = `configuration applied: ${added.length} added, ${removed.length} removed, ${changed.length} changed`;
    recorder.note({
      vm: null,
      type: 'operator',
      actionId: null,
      text,
      data: { added, removed, changed },
    });
    return applied;
  }

  /** Takes other limits of the host, and gives them to the policy where they differ. */
  setLimits(limits: PolicyConfig): void {
    this.#assertOpen();
    if (!isDeepStrictEqual(this.state.config, limits)) this.#post({ type: 'limits', limits });
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
    if (this.#parts.events.ended) return 'the events of the engine are not heard any more';
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

  /** VMs of which metrics may tell something else than when it was asked last; undefined: any, and which there are. */
  takeChanged(): ReadonlySet<VmId> | undefined {
    // Brings the list of endpoints up to date.
    if (this.#readiness !== undefined) void this.#readiness.listed;
    return this.#changed.take(performance.now());
  }

  get units(): ReadonlyMap<VmId, VmUnit> {
    return this.#parts.inventory.units;
  }

  get recorder(): Recorder {
    return this.#parts.recorder;
  }

  get maintenance(): readonly MaintenanceView[] {
    return this.#parts.maintenance.list;
  }

  get degradations(): readonly Degradation[] {
    return this.#degradations.list();
  }

  degradationsOf(vm: VmId): readonly Degradation[] {
    return this.#degradations.about(vm);
  }

  /** Certificates that the probes of a VM see. */
  certificatesOf(vm: VmId): readonly CertificateView[] {
    return this.#parts.certificates.of(vm);
  }

  /** A person's command: recorded with its author, given to the policy, and kept across a restart. */
  async command(
    event: PolicyEvent,
    record: { vm: VmId | null; text: string; data: Record<string, unknown> },
  ): Promise<void> {
    this.#assertOpen();
    // On disk before it is answered; a journal that fails tells by itself, and does not refuse the command.
    const recorded = this.#parts.recorder
      .durable({ ...record, type: 'operator', actionId: null })
      .catch(() => {});
    if (event.type === 'unhold' && event.vm === null) await this.#parts.journalWatch.acceptLoss();
    this.#post(event);
    await Promise.all([recorded, this.#parts.saver.savePolicy()]);
  }

  /** Saves what is known and lets go of everything; VMMs run on. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { saver, journalWatch, activity, hostWatches, events, inventory, recorder } = this.#parts;
    saver.cancel();
    this.#readiness?.close();
    journalWatch.stop();
    activity.stop();
    hostWatches.stop();
    this.#parts.certificates.stop();
    for (const part of ['maintenance', 'acts', 'runner', 'externals'] as const)
      await this.#parts[part].close();
    if (this.#loop) {
      await saver.savePolicy();
      await saver.saveEngine();
      await this.#readiness?.save();
      this.#loop.stop();
    }
    this.#abort.abort();
    await events.settled();
    await inventory.close();
    await recorder.settled();
  }

  /** An invariant does not hold: until a person says otherwise nothing is done any more, and probing goes on. */
  #holdAll(what: string): void {
    this.degrade('policy', `${what}; all recovery holds, please report it`);
    if (this.#policyLoop.state.host.hold !== null) return;
    this.#post({ type: 'hold', vm: null, reason: what, author: 'vmpulse', untilMs: null });
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
}
