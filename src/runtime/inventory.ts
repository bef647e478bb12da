import type { ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Driver, VmmEvent } from '../model/ports.js';
import type { ProbeSpec } from '../model/probe.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { CustomProbeRunner } from './custom-probes.js';
import type { Degradations } from './degradations.js';
import { policyVm } from './policy-vm.js';
import { VmUnit } from './vm-unit.js';

const LOOK_DEADLINE_MS = 5_000;

export interface InventoryOptions {
  readonly engine: ProbeEngine;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly customProbes: CustomProbeRunner;
  readonly clock: Clock;
  readonly degradations: Degradations;
  /** Fires when the inventory is closed. */
  readonly signal: AbortSignal;
  readonly post: (event: PolicyEvent) => void;
  readonly onVmmEvent: (unit: VmUnit, event: VmmEvent, atMs: number) => void;
}

/** The VMs that are watched: brings each to its driver, finds its VMM, and lets go of it. */
export class Inventory {
  readonly units = new Map<VmId, VmUnit>();
  /** Engine handle → probe. */
  readonly index = new Map<number, { readonly unit: VmUnit; readonly probe: ProbeSpec }>();
  readonly #options: InventoryOptions;

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  async watch(spec: VmSpec): Promise<void> {
    const { drivers, engine, customProbes, clock, degradations, post } = this.#options;
    const driver = drivers[spec.hypervisor.driver];
    if (!driver) {
      const why = `no driver ${spec.hypervisor.driver} is registered; ${spec.id} is not watched`;
      degradations.set(`driver/${spec.id}`, why);
      return;
    }
    const vm = spec.id;
    const unit: VmUnit = new VmUnit({
      spec,
      driver,
      engine,
      customProbes,
      clock,
      index: this.index,
      events: {
        attached: (session, fresh, status) =>
          post({ type: 'vm-attached', vm, startedAtMs: session.startedAtMs, fresh, status }),
        vmmEvent: (event, atMs) => this.#options.onVmmEvent(unit, event, atMs),
        probeUnavailable: (probe, why) => degradations.set(`probe/${vm}/${probe}`, why),
      },
    });
    this.units.set(vm, unit);
    post({ type: 'vm-configured', vm: policyVm(spec, driver) });
    await this.look(unit, false);
  }

  /** Finds the VM's VMM and attaches to it, or tells that there is none. `fresh`: one found has just been started. */
  async look(unit: VmUnit, fresh: boolean): Promise<void> {
    const { clock, degradations, signal, post } = this.#options;
    const { id } = unit.spec;
    try {
      const look = await unit.driver.look(unit.spec, { deadlineMs: LOOK_DEADLINE_MS, signal });
      // What is wrong now is found again.
      for (const part of ['probe', 'exit']) degradations.clear(`${part}/${id}`);
      if (look.running) await unit.attach(look.process, fresh);
      else post({ type: 'vm-looked', vm: id, running: false });
      degradations.clear(`look/${id}`);
    } catch (error) {
      if (signal.aborted) return;
      // Not knowing is no reason to act: the VM stays unknown until a look succeeds.
      degradations.set(`look/${id}`, `could not look at ${id}: ${errorMessage(error)}`);
      clock.at(clock.now() + LOOK_DEADLINE_MS, () => {
        if (this.units.get(id) === unit && !signal.aborted) void this.look(unit, fresh);
      });
    }
  }

  /** Takes a changed configuration; what needs a new VMM waits for its next start. */
  async reconfigure(unit: VmUnit, spec: VmSpec): Promise<void> {
    this.#options.degradations.clear(`probe/${spec.id}`);
    await unit.reconfigure(spec);
    this.#options.post({ type: 'vm-configured', vm: policyVm(spec, unit.driver) });
  }

  /** Stops watching; the VMM runs on. */
  async unwatch(id: VmId): Promise<void> {
    const unit = this.units.get(id);
    this.units.delete(id);
    await unit?.detach();
    for (const part of ['driver', 'look', 'probe', 'exit', 'monitor'])
      this.#options.degradations.clear(`${part}/${id}`);
    this.#options.post({ type: 'vm-removed', vm: id });
  }

  async close(): Promise<void> {
    await Promise.all([...this.units.values()].map((unit) => unit.detach()));
  }
}
