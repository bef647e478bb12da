import type { PolicyConfig } from '../policy/types.js';
import type { SimHost } from './sim-host.js';
import type { SimVm } from './sim-vm.js';
import type { World } from './world.js';

/** A list of endpoints follows what probes say of a VM, and those what is the case, within this. */
const LISTED_AFTER_MS = 240_000;

/** Who gets traffic, compared with the truth: those who serve, and of those who do not as few as may be left in the list. */
export class ListChecker {
  readonly #world: World;
  readonly #limits: PolicyConfig;
  readonly #servesSince = new Map<SimVm, number>();
  /** VMs that served for long enough to be listed, failed, and have been there ever since. */
  readonly #failed = new Set<SimVm>();

  constructor(world: World, limits: PolicyConfig) {
    this.#world = world;
    this.#limits = limits;
  }

  noteChange(vm: SimVm): void {
    if (this.#isAway(vm)) {
      this.#failed.delete(vm);
      this.#servesSince.delete(vm);
      return;
    }
    const sinceMs = this.#servesSince.get(vm);
    if (vm.serves) {
      if (sinceMs === undefined) this.#servesSince.set(vm, this.#now);
      return;
    }
    this.#servesSince.delete(vm);
    if (sinceMs !== undefined && this.#now - sinceMs > LISTED_AFTER_MS) this.#failed.add(vm);
  }

  check(host: SimHost, listed: ReadonlySet<string>): void {
    if (!this.#isCalm(host)) return;
    const running = host.vms.filter((vm) => vm.vmm !== null);
    const out = running.filter((vm) => !listed.has(vm.spec.id));
    const mayLeave = Math.max(1, Math.floor(this.#limits.maxEject * running.length));
    for (const vm of host.vms) this.#checkPlace(vm, listed.has(vm.spec.id), out.length < mayLeave);
    // Who has left stays out when others are shut down, and who comes up without serving was never in.
    const left = out.filter((vm) => this.#failed.has(vm));
    if (left.length > Math.max(1, this.#limits.maxEject * host.vms.length)) {
      const text = `${left.length} of ${running.length} VMs were let out of the list`;
      this.#world.judge.findOfHost('violation', host, text);
    }
  }

  #checkPlace(vm: SimVm, isListed: boolean, anotherMayLeave: boolean): void {
    const { judge } = this.#world;
    const { blocked, serves, badSinceMs, badUntilMs, cases } = judge.docket(vm);
    const calm = !blocked.runs && cases.every((one) => one.endedAtMs !== null);
    const wellForMs = this.#now - Math.max(badUntilMs, vm.bootedAtMs, blocked.endedAtMs);
    if (serves && calm && !isListed && wellForMs > LISTED_AFTER_MS)
      judge.find('violation', vm, 'it serves and is not in the list of endpoints');
    const badForMs = serves ? 0 : this.#now - badSinceMs;
    if (isListed && badForMs > LISTED_AFTER_MS && (vm.vmm === null || anotherMayLeave)) {
      const text = `it is in the list of endpoints and has not served for ${badForMs / 1000} s`;
      judge.find('violation', vm, text);
    }
  }

  #isCalm({ blocked, daemonSinceMs }: SimHost): boolean {
    const sinceMs = Math.max(blocked.endedAtMs, daemonSinceMs);
    return !blocked.runs && this.#now - sinceMs > LISTED_AFTER_MS;
  }

  /** Off, paused by somebody or worked on: whatever its probes say, it is not to be listed. */
  #isAway(vm: SimVm): boolean {
    return vm.vmm === null || vm.paused === 'person' || this.#world.operator.worksOn(vm);
  }

  get #now(): number {
    return this.#world.timeline.nowMs;
  }
}
