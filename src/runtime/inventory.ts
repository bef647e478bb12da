import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import { asksOtherAgent } from '../model/machine.js';
import type { Driver, VmmEvent } from '../model/ports.js';
import type { ProcessIdentity, VmId, VmSpec } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { ProbeHost } from '../probes/external.js';
import type { CustomProbes } from './custom-probes.js';
import type { Degradations } from './degradations.js';
import type { ExternalRunner } from './external-runner.js';
import { policyVm } from './policy-vm.js';
import type { ProbeTarget } from './probe-target.js';
import { sharesOf } from './shares.js';
import { VmProbes } from './vm-probes.js';
import { VmUnit } from './vm-unit.js';

const LOOK_DEADLINE_MS = 5_000;
/** VMs that are let go of in one turn of the event loop, which takes some milliseconds. */
const DETACHED_A_TURN = 250;
/** How often a VM without a VMM is looked at, as others may start it, ms. */
const LOOK_AGAIN_MS = 10_000;
/** The same where the last look failed, ms. */
const LOOK_FAILED_MS = 5_000;

export interface InventoryOptions {
  readonly engine: ProbeEngine;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly customProbes: CustomProbes;
  readonly externals: ExternalRunner;
  readonly probeHost: ProbeHost;
  /** Text of /proc/self/status. */
  readonly ownStatus: () => string;
  readonly clock: Clock;
  /** Another one after each boot of the host. */
  readonly hostBootId: () => string;
  readonly degradations: Degradations;
  /** Fires when the inventory is closed. */
  readonly signal: AbortSignal;
  readonly post: (event: PolicyEvent) => void;
  readonly onVmmEvent: (unit: VmUnit, event: VmmEvent, atMs: number) => void;
  /** The policy knows of the VMM by then. */
  readonly onAttached: (unit: VmUnit, fresh: boolean) => void;
  /** An action of ours is under way, which looks by itself. */
  readonly isActedOn: (vm: VmId) => boolean;
}

/** What goes on about the VMM of one VM. */
interface Looking {
  /** Ends with the look that was asked for last; they come one after another. */
  last: Promise<void>;
  cancelNext: () => void;
}

/** A PID is used again, and start times count from the boot of the host: only the three together name a process. */
function nameOf({ pid, startTimeTicks }: ProcessIdentity, bootId: string): string {
  return `${pid}/${startTimeTicks}/${bootId}`;
}

/** The VMs that are watched: brings each to its driver, finds its VMM, and lets go of it. */
export class Inventory {
  readonly units = new Map<VmId, VmUnit>();
  /** Probes of all of them, by their handle in the engine. */
  readonly targets = new Map<number, ProbeTarget>();
  readonly #looking = new WeakMap<VmUnit, Looking>();
  readonly #options: InventoryOptions;

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  async watch(spec: VmSpec): Promise<void> {
    const { drivers, degradations, post } = this.#options;
    const driver = drivers[spec.hypervisor.driver];
    if (!driver) {
      const why = `no driver ${spec.hypervisor.driver} is registered; ${spec.id} is not watched`;
      degradations.set(`driver/${spec.id}`, why);
      return;
    }
    const unit = this.#makeUnit(spec, driver);
    this.units.set(spec.id, unit);
    post({ type: 'vm-configured', vm: policyVm(spec, driver) });
    await this.look(unit, false);
  }

  #makeUnit(spec: VmSpec, driver: Driver): VmUnit {
    const { clock, hostBootId, post, onAttached, onVmmEvent } = this.#options;
    const vm = spec.id;
    const unit: VmUnit = new VmUnit({
      ...{ spec, driver, clock, probes: this.#makeProbes(vm) },
      events: {
        attached: (session, fresh, status) => {
          post({
            type: 'vm-attached',
            vm,
            startedAtMs: session.startedAtMs,
            vmm: nameOf(session.process, hostBootId()),
            fresh,
            status,
            shares: sharesOf(unit.spec),
            counters: session.counters !== undefined,
          });
          onAttached(unit, fresh);
        },
        vmmEvent: (event, atMs) => {
          onVmmEvent(unit, event, atMs);
          if (event.type === 'exited') this.#lookLater(unit, LOOK_AGAIN_MS, true);
        },
      },
    });
    return unit;
  }

  #makeProbes(vm: VmId): VmProbes {
    const { degradations } = this.#options;
    return new VmProbes({
      ...this.#options,
      targets: this.targets,
      events: {
        probeUnavailable: (probe, why) => degradations.set(`probe/${vm}/${probe}`, why),
        probeHindered: (probe, why) => degradations.set(`privileges/${vm}/${probe}`, why),
      },
    });
  }

  /**
   * Finds the VM's VMM and attaches to it, or tells that there is none and looks again from time to time. `fresh`: one
   * found has just been started.
   */
  look(unit: VmUnit, fresh: boolean): Promise<void> {
    const looking = this.#looking.get(unit) ?? { last: Promise.resolve(), cancelNext: () => {} };
    this.#looking.set(unit, looking);
    looking.cancelNext();
    looking.last = looking.last.then(() => this.#look(unit, fresh));
    return looking.last;
  }

  async #look(unit: VmUnit, fresh: boolean): Promise<void> {
    const { degradations, signal, post } = this.#options;
    const { id } = unit.spec;
    if (!this.#isWatched(unit)) return;
    try {
      const look = await unit.driver.look(unit.spec, { deadlineMs: LOOK_DEADLINE_MS, signal });
      // What is wrong now is found again.
      for (const part of ['probe', 'privileges', 'exit']) degradations.clear(`${part}/${id}`);
      if (look.running) await unit.attach(look.process, fresh);
      // Let go of meanwhile.
      if (!this.#isWatched(unit)) return await unit.detach();
      if (!look.running) post({ type: 'vm-looked', vm: id, running: false });
      degradations.clear(`look/${id}`);
      // There is none now: one that is found then has just been started, and its guest boots.
      this.#lookLater(unit, LOOK_AGAIN_MS, true);
    } catch (error) {
      if (!this.#isWatched(unit)) return;
      // Not knowing is no reason to act: the VM stays unknown until a look succeeds.
      degradations.set(`look/${id}`, `could not look at ${id}: ${errorMessage(error)}`);
      this.#lookLater(unit, LOOK_FAILED_MS, fresh);
    }
  }

  #lookLater(unit: VmUnit, delayMs: number, fresh: boolean): void {
    const { clock, isActedOn } = this.#options;
    const looking = this.#looking.get(unit);
    if (!looking || unit.session !== undefined || !this.#isWatched(unit)) return;
    looking.cancelNext();
    looking.cancelNext = clock.at(clock.now() + delayMs, () => {
      if (unit.session !== undefined || !this.#isWatched(unit)) return;
      if (isActedOn(unit.spec.id)) this.#lookLater(unit, delayMs, fresh);
      else void this.look(unit, fresh);
    });
  }

  #isWatched(unit: VmUnit): boolean {
    return this.units.get(unit.spec.id) === unit && !this.#options.signal.aborted;
  }

  /** Takes a changed configuration; what needs a new VMM waits for its next start. */
  async reconfigure(unit: VmUnit, spec: VmSpec): Promise<void> {
    this.#options.degradations.clear(`probe/${spec.id}`);
    const isForced = spec.forceReconcile !== undefined && spec.forceReconcile !== unit.spec.forceReconcile;
    const isMetAnew = asksOtherAgent(unit.spec, spec);
    const recounted = await unit.reconfigure(spec);
    this.#options.post({ type: 'vm-configured', vm: policyVm(spec, unit.driver), recounted });
    const mayLook = unit.session === undefined && !this.#options.isActedOn(spec.id);
    if (isForced && mayLook) await this.look(unit, true);
    if (isMetAnew) await this.#meetAnew(unit);
  }

  /** Attaches to the same VMM by its new configuration; not under an action, which uses the attachment. */
  async #meetAnew(unit: VmUnit): Promise<void> {
    const { session: former } = unit;
    // Whoever attaches next does it by the new configuration.
    if (former === undefined || !this.#isWatched(unit)) return;
    if (!this.#options.isActedOn(unit.spec.id)) await this.look(unit, false);
    if (unit.session === former) this.#meetLater(unit);
    else if (unit.session !== undefined) this.#tellRecounted(unit);
  }

  #meetLater(unit: VmUnit): void {
    const { clock } = this.#options;
    const looking = this.#looking.get(unit);
    if (!looking) return;
    looking.cancelNext();
    // A look that comes before attaches, too, and cancels this.
    looking.cancelNext = clock.at(clock.now() + LOOK_AGAIN_MS, () => void this.#meetAnew(unit));
  }

  /** An attachment to the same VMM has the engine count from nothing, which says nothing of what stays as it begins. */
  #tellRecounted({ spec, driver }: VmUnit): void {
    const recounted = spec.probes.filter(({ enabled }) => enabled).map(({ name }) => name);
    this.#options.post({ type: 'vm-configured', vm: policyVm(spec, driver), recounted });
  }

  /** Stops watching; the VMM runs on. */
  async unwatch(id: VmId): Promise<void> {
    const unit = this.units.get(id);
    this.units.delete(id);
    if (unit) this.#looking.get(unit)?.cancelNext();
    await unit?.detach();
    for (const part of ['driver', 'look', 'probe', 'exit', 'monitor'])
      this.#options.degradations.clear(`${part}/${id}`);
    this.#options.post({ type: 'vm-removed', vm: id });
  }

  /** Lets go of all VMs, many in a turn of the event loop; their targets leave the engine in one call a turn. */
  async close(): Promise<void> {
    const units = [...this.units.values()];
    for (const unit of units) this.#looking.get(unit)?.cancelNext();
    const detached: Promise<PromiseSettledResult<void>[]>[] = [];
    for (let first = 0; first < units.length; first += DETACHED_A_TURN) {
      if (first > 0) await nextTurn();
      const some = units.slice(first, first + DETACHED_A_TURN);
      this.#options.engine.remove(some.flatMap((unit) => unit.probes.forget()));
      detached.push(Promise.allSettled(some.map((unit) => unit.detach())));
    }
    const failed = (await Promise.all(detached)).flat().find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }
}
