import type { LadderStep } from '../model/action.js';
import type { Case, CaseSpec } from './case.js';
import { Samples } from './samples.js';
import type { SimHost } from './sim-host.js';
import type { SimVm } from './sim-vm.js';
import { Stopwatch } from './stopwatch.js';
import type { World } from './world.js';

/** A decision was right if it was so this long before it was carried out: a fresh look counts for 5 s and takes 2 s. */
const DECISION_MS = 10_000;
const MINUTE_MS = 60_000;

/** A finding of the judge or of a checker. */
export interface Finding {
  readonly kind: 'missed' | 'false' | 'violation';
  readonly atMs: number;
  readonly host: string;
  /** Unset: the host as a whole. */
  readonly vm: string | null;
  readonly text: string;
}

interface Docket {
  readonly cases: Case[];
  readonly blocked: Stopwatch;
  /** Availability: when it was last counted, and what it was from then on. */
  countedMs: number;
  serves: boolean;
  /** It has not served since then, if it does not. */
  badSinceMs: number;
  /** When it last did not serve. */
  badUntilMs: number;
  wanted: boolean;
  /** A person handed it to automation, off or not. */
  releasedMs: number;
}

/**
 * Knows every fault that was injected and what is really the case, and nothing of the policy: an act on a VM that no
 * fault of it permits is a false one, a fault that needs one and does not get it in time is missed.
 */
export class Judge {
  readonly findings: Finding[] = [];
  readonly detect = new Samples();
  readonly heal = new Samples();
  readonly kinds = new Map<string, number>();
  faults = 0;
  acts = 0;
  wantedMs = 0;
  servedMs = 0;
  readonly #world: World;
  readonly #hostTold = new Map<SimHost, number>();
  readonly #dockets = new Map<SimVm, Docket>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A fault of this kind was injected; `open` follows for each VM that suffers from it. */
  count(kind: string): void {
    this.faults += 1;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }

  open(spec: CaseSpec): Case {
    const { timeline } = this.#world;
    const { host } = spec.vm;
    // A wait that began before is longer by as much.
    const repeatsMs = Math.max(0, host.repeatsUntilMs - timeline.nowMs);
    const opened: Case = {
      ...spec,
      atMs: timeline.nowMs,
      endedAtMs: null,
      toldAtMs: null,
      acts: 0,
      firstActAtMs: null,
      lastActAtMs: 0,
      missed: false,
      queuedMs: host.queueing.totalMs,
      setBackMs: host.setBackMs - repeatsMs,
    };
    const docket = this.docket(spec.vm);
    while (docket.cases.length > 8 && docket.cases[0]?.endedAtMs !== null) docket.cases.shift();
    docket.cases.push(opened);
    this.#world.story(host, spec.vm, `FAULT ${spec.kind} (needs: ${spec.need})`);
    if (spec.need !== 'nothing') this.#remind(opened, timeline.nowMs + spec.boundMs);
    return opened;
  }

  /** The fault is over although nothing about the VM changed. */
  close(one: Case): void {
    if (one.endedAtMs !== null) return;
    one.endedAtMs = this.#world.timeline.nowMs;
    this.#world.story(one.vm.host, one.vm, `over: ${one.kind}`);
    if (one.isNoFailure !== true && (one.acts > 0 || one.need === 'act'))
      this.heal.add(one.endedAtMs - one.atMs);
  }

  /** Whatever the VM suffered from went down with its host. */
  abandon(vm: SimVm): void {
    for (const one of this.docket(vm).cases) one.endedAtMs ??= this.#world.timeline.nowMs;
  }

  /** Something about the VM is different now. */
  noteChange(vm: SimVm): void {
    const docket = this.docket(vm);
    this.#countAvailability(vm, docket);
    if (vm.guest !== 'booting') docket.blocked.end('repair');
    for (const one of docket.cases) if (one.endedAtMs === null && one.isOver()) this.close(one);
  }

  noteReleased(vm: SimVm): void {
    this.docket(vm).releasedMs = this.#world.timeline.nowMs;
  }

  /** People were told something about the VM. */
  noteTold(id: string, text: string): void {
    const vm = this.#world.find(id);
    if (!vm) return;
    this.#world.story(vm.host, vm, `TOLD: ${text}`);
    for (const one of this.docket(vm).cases) {
      if (one.endedAtMs !== null || one.toldAtMs !== null) continue;
      one.toldAtMs = this.#world.timeline.nowMs;
      this.#world.operator.called(one);
      if (one.need === 'tell') this.detect.add(one.toldAtMs - one.atMs);
    }
  }

  /**
   * Something is wrong with the whole host, and people must be told within that time unless it is over by then. Where its
   * clock is set back, the time is longer by as much.
   */
  openHost(kind: string, host: SimHost, boundMs: number, isOver: () => boolean): void {
    const { timeline } = this.#world;
    const atMs = timeline.nowMs;
    let { setBackMs } = host;
    const review = () => {
      const told = this.#hostTold.get(host) ?? 0;
      if (told >= atMs || isOver() || host.blocked.has('daemon') || host.blocked.endedAtMs > atMs) return;
      const longerMs = host.setBackMs - setBackMs;
      ({ setBackMs } = host);
      if (longerMs > 0) timeline.after(longerMs, review);
      else this.findOfHost('missed', host, `${kind}: nobody was told within ${boundMs / 1000} s`);
    };
    timeline.after(boundMs, review);
  }

  noteHostTold(host: SimHost, text: string): void {
    this.#hostTold.set(host, this.#world.timeline.nowMs);
    this.#world.story(host, null, `TOLD: ${text}`);
  }

  /** The policy holds many VMs because many fail: do they? */
  noteHeldTogether(host: SimHost, why: string, least: number): void {
    const sinceMs = this.#world.timeline.nowMs - MINUTE_MS;
    const failing = host.vms.filter((vm) => {
      const docket = this.docket(vm);
      return !docket.serves || docket.badUntilMs > sinceMs || !this.isIdle(vm);
    });
    if (failing.length >= least) return;
    this.findOfHost('violation', host, `${why}, but only ${failing.length} VMs fail in truth`);
  }

  /** An action on the VM began. `isNoFailure`: what it answers is no failure, so no budget pays for it. */
  noteAct(vm: SimVm, step: LadderStep): { readonly isNoFailure: boolean } {
    const now = this.#world.timeline.nowMs;
    const wallMs = vm.host.wallMs();
    this.acts += 1;
    let isNoFailure = false;
    // Whoever releases a VM wants it to run, also where somebody else starts it just then.
    let permitted = step === 'start' && now - this.docket(vm).releasedMs <= DECISION_MS;
    for (const one of this.docket(vm).cases) {
      if (one.endedAtMs !== null && one.endedAtMs < now - DECISION_MS) continue;
      // A daemon that died between the two halves of a power-cycle leaves the second half to do.
      const half = step === 'start' && vm.vmm === null && one.acts > 0 && one.permits.includes('power-cycle');
      if (!one.permits.includes(step) && !half) continue;
      if (one.permitsAt?.(wallMs) === false && !one.permitsAt(wallMs - DECISION_MS)) continue;
      permitted = true;
      if (one.firstActAtMs === null && one.need === 'act' && one.isNoFailure !== true)
        this.detect.add(now - one.atMs);
      one.firstActAtMs ??= now;
      one.lastActAtMs = now;
      if (one.isNoFailure === true) isNoFailure = true;
      one.acts += 1;
    }
    if (!permitted) this.find('false', vm, `${step}, which no fault of the VM permits${this.#casesOf(vm)}`);
    return { isNoFailure };
  }

  find(kind: Finding['kind'], vm: SimVm, text: string): void {
    this.#find(kind, vm.host, vm, text);
  }

  /** Of a host as a whole. */
  findOfHost(kind: Finding['kind'], host: SimHost, text: string): void {
    this.#find(kind, host, null, text);
  }

  /** No case of the VM is open. */
  isIdle(vm: SimVm): boolean {
    return this.docket(vm).cases.every((one) => one.endedAtMs !== null);
  }

  /** When the last case of the VM was over; 0: it never had one. */
  lastEndOf(vm: SimVm): number {
    return this.docket(vm).cases.reduce((last, one) => Math.max(last, one.endedAtMs ?? 0), 0);
  }

  hasOpen(vm: SimVm, kind: string): boolean {
    return this.docket(vm).cases.some((one) => one.endedAtMs === null && one.kind === kind);
  }

  docket(vm: SimVm): Docket {
    let docket = this.#dockets.get(vm);
    if (!docket) {
      const { timeline } = this.#world;
      docket = {
        cases: [],
        blocked: new Stopwatch(timeline),
        countedMs: timeline.nowMs,
        serves: vm.serves,
        badSinceMs: timeline.nowMs,
        badUntilMs: 0,
        wanted: !vm.wantedOff,
        releasedMs: Number.NEGATIVE_INFINITY,
      };
      this.#dockets.set(vm, docket);
    }
    return docket;
  }

  finish(): void {
    for (const [vm, docket] of this.#dockets) this.#countAvailability(vm, docket);
  }

  #find(kind: Finding['kind'], host: SimHost, vm: SimVm | null, text: string): void {
    const { nowMs } = this.#world.timeline;
    this.findings.push({ kind, atMs: nowMs, host: host.name, vm: vm?.spec.id ?? null, text });
    this.#world.story(host, vm, `*** ${kind.toUpperCase()}: ${text}`);
  }

  #casesOf(vm: SimVm): string {
    const open = this.docket(vm).cases.filter((one) => one.endedAtMs === null);
    return open.length === 0 ? '; it has none' : `; it has ${open.map((one) => one.kind).join(', ')}`;
  }

  #countAvailability(vm: SimVm, docket: Docket): void {
    const { nowMs } = this.#world.timeline;
    const passedMs = nowMs - docket.countedMs;
    if (docket.wanted) {
      this.wantedMs += passedMs;
      if (docket.serves) this.servedMs += passedMs;
    }
    if (!docket.serves) docket.badUntilMs = nowMs;
    docket.countedMs = nowMs;
    if (docket.serves && !vm.serves) docket.badSinceMs = nowMs;
    docket.serves = vm.serves;
    docket.wanted = !vm.wantedOff;
  }

  #remind(one: Case, atMs: number): void {
    this.#world.timeline.at(atMs, () => this.#review(one));
  }

  /** What is needed has begun by now, or something that nobody can be blamed for stood in the way. */
  #review(one: Case): void {
    if (one.endedAtMs !== null || one.missed) return;
    const { nowMs } = this.#world.timeline;
    const { host } = one.vm;
    const { blocked } = this.docket(one.vm);
    if (one.need === 'tell' && one.toldAtMs !== null) return;
    // What was tried did not help, and people know: it is theirs.
    if (one.acts > 0 && (one.once === true || one.toldAtMs !== null)) return;
    if (blocked.runs || host.blocked.runs) {
      this.#remind(one, nowMs + one.boundMs);
      return;
    }
    const { graceMaxMs, backoff, stepTimeoutMs } = one.vm.spec.recovery;
    const retryMs = one.lastActAtMs + graceMaxMs + backoff.capMs + stepTimeoutMs;
    const sinceMs = Math.max(one.atMs, blocked.endedAtMs, host.blocked.endedAtMs, one.acts > 0 ? retryMs : 0);
    // Where the clock of the host is set back, the waits of the policy are longer by as much.
    const longerMs = host.queueing.totalMs - one.queuedMs + host.setBackMs - one.setBackMs;
    const dueMs = sinceMs + one.boundMs + longerMs;
    if (nowMs < dueMs) {
      this.#remind(one, dueMs);
      return;
    }
    one.missed = true;
    const what = one.need === 'act' ? 'was not acted on' : 'nobody was told';
    this.find('missed', one.vm, `${one.kind}: ${what} within ${one.boundMs / 1000} s`);
  }
}
