import type { RecoverySpec, VmId } from '../../model/vm.js';
import { createPolicy, DEFAULT_POLICY_CONFIG, restore, step } from '../../policy/index.js';
import type { PolicyConfig, PolicyEvent, PolicyState, PolicyVm } from '../../policy/types.js';
import { Alarm } from './alarm.js';
import { Counters } from './counters.js';
import { answers } from './looks.js';
import { type Divergence, Matcher } from './match.js';
import { type DaemonStart, type Line, readLine } from './record.js';
import { Stored } from './stored.js';

/** The engine delivers a transition this much after it, at most; what is older is a step of the clock. */
const LATE_MS = 60_000;

export interface ReplayOptions {
  /** Host-wide limits to be tried; unset: those that the daemon had. */
  readonly policy?: PolicyConfig;
  /** What is tried for a VM instead of what it had then; unset: what it had. */
  readonly recoveryOf?: (vm: VmId) => RecoverySpec;
}

export interface ReplayReport {
  readonly entries: number;
  /** Entries before the first start of a daemon, of which nothing can be said. */
  readonly skipped: number;
  readonly daemonStarts: number;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly vms: number;
  /** Actions that both decided on, or would have. */
  readonly sameActions: number;
  /** The first divergent action of each VM that has one; from there on it was not replayed. */
  readonly diverged: readonly Divergence[];
}

/** Feeds a policy what a daemon told its own, and compares what both decide. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #matcher = new Matcher();
  readonly #vms = new Set<VmId>();
  readonly #out = new Set<VmId>();
  readonly #counters = new Counters();
  readonly #stored = new Stored();
  #state: PolicyState | undefined;
  #nowMs: number | null = null;
  #alarm = new Alarm();
  #fromMs: number | null = null;
  #entries = 0;
  #skipped = 0;
  #starts = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Takes one line of the export. Throws ERR_VMPULSE_ARGUMENT. */
  take(text: string): void {
    this.#entries += 1;
    const line = readLine(text, this.#entries);
    if (line.told?.type === 'daemon') this.#restart(line.told, line.atMs);
    if (this.#state === undefined) {
      this.#skipped += 1;
      return;
    }
    // Of the next daemon, before it says that it begins: the former one did not live to that time.
    if (line.told?.type === 'left-open') return;
    if (line.told?.type === 'clock-set') {
      this.#setClock(line.told.byMs, line.atMs);
      return;
    }
    const now = this.#nowOf(line);
    this.#fromMs ??= now;
    // What was decided in a millisecond in which an alarm rang is told after it; an event may have come before.
    this.#pass(line.told?.type === 'event' ? now : now + 1);
    this.#nowMs = now;
    if (line.told?.type === 'decided') this.#decided('recorded', line.told.vm, line.told.step, now);
    if (line.told?.type === 'event') this.#tell(line.told.event, now);
    if (line.told?.type === 'acts') this.#stored.saveVm(this.#state, line.told.vm);
    this.#dropOverdue(now);
  }

  report(): ReplayReport {
    return {
      entries: this.#entries,
      skipped: this.#skipped,
      daemonStarts: this.#starts,
      fromMs: this.#fromMs,
      toMs: this.#nowMs,
      vms: this.#vms.size,
      sameActions: this.#matcher.same,
      diverged: this.#matcher.diverged,
    };
  }

  /** A daemon begins with what the former one had stored, or with nothing where that was lost. */
  #restart({ remembers, limits, storedAtMs }: DaemonStart, atMs: number): void {
    // The former one lived on after its last entry, and may have stored its state once more.
    this.#pass((storedAtMs ?? atMs) + 1);
    const policy = this.#options.policy ?? limits ?? DEFAULT_POLICY_CONFIG;
    const { rows } = this.#stored;
    this.#state = rows === null || !remembers ? createPolicy(policy) : restore(rows, policy);
    this.#starts += 1;
    this.#alarm = new Alarm();
    this.#nowMs = null;
    this.#counters.clear();
    this.#stored.restart();
  }

  #nowOf({ atMs }: Line): number {
    const before = this.#nowMs;
    return before !== null && atMs < before && before - atMs < LATE_MS ? before : atMs;
  }

  /** It was set since the last thing that was told: what rang before rang by the former clock. Timers go on as they were. */
  #setClock(byMs: number, atMs: number): void {
    this.#pass(atMs - byMs);
    this.#alarm.shift(byMs);
    this.#counters.shift(byMs);
    this.#stored.shift(byMs);
    this.#nowMs = atMs;
  }

  /** Lets the policy's own alarms ring, counters be compared and the state be stored, until then. */
  #pass(untilMs: number): void {
    for (;;) {
      const compared = this.#counters.next;
      const { dueMs } = this.#stored;
      const atMs = earliest(this.#alarm.nextMs, compared?.atMs ?? null, dueMs);
      if (atMs === null || atMs >= untilMs || this.#state === undefined) return;
      if (dueMs === atMs) {
        this.#stored.rings(this.#state);
      } else if (compared?.atMs === atMs && !this.#alarmIsFirst(atMs, compared.vm)) {
        this.#counters.note(compared);
        this.#step(compared, atMs);
      } else if (this.#alarm.rings(atMs)) {
        this.#step({ type: 'tick' }, atMs);
      }
      this.#dropOverdue(atMs);
    }
  }

  /** The alarm rings at the same time as the counters of that VM are compared, and its timer was started before. */
  #alarmIsFirst(atMs: number, vm: VmId): boolean {
    return this.#alarm.nextMs === atMs && this.#alarm.armedMs < this.#counters.armedMs(vm);
  }

  #tell(event: PolicyEvent, now: number): void {
    const told = this.#asTried(event);
    if (told !== null) this.#step(told, now);
  }

  /** The event as it would have come: ids are those of this policy. Null: it concerns nothing that is replayed. */
  #asTried(event: PolicyEvent): PolicyEvent | null {
    if (event.type === 'vm-configured') {
      const { vm } = event;
      if (this.#out.has(vm.id)) return null;
      this.#vms.add(vm.id);
      return { ...event, vm: { ...vm, recovery: this.#tried(vm) } };
    }
    if (event.type === 'limits' && this.#options.policy !== undefined) return null;
    const id = 'vm' in event ? event.vm : null;
    if (id === null) return event;
    const vm = this.#state?.vms.get(id);
    if (vm === undefined) return null;
    switch (event.type) {
      case 'confirmed':
        if (vm.confirm === null || !answers(event.confirmId, vm.confirm.id)) return null;
        return { ...event, confirmId: vm.confirm.id };
      case 'action-ended':
      case 'action-held':
        return vm.action === null ? null : { ...event, actionId: vm.action.action.id };
      case 'activity':
        this.#counters.note(event);
        return event;
      default:
        return event;
    }
  }

  /** Whether recovery is on, and which commands its guest has, is a matter of the VM. */
  #tried({ id, recovery }: PolicyVm): RecoverySpec {
    const { recoveryOf } = this.#options;
    if (recoveryOf === undefined) return recovery;
    const { enabled, restartService, exec, cleanup } = recovery;
    return {
      ...recoveryOf(id),
      enabled,
      ...(restartService === undefined ? {} : { restartService }),
      ...(exec === undefined ? {} : { exec }),
      ...(cleanup === undefined ? {} : { cleanup }),
    };
  }

  #step(event: PolicyEvent, now: number): void {
    if (this.#state === undefined) return;
    const result = step(this.#state, event, now);
    this.#state = result.state;
    this.#alarm.set(result.wakeAtMs, now);
    this.#stored.note(event, result, now);
    for (const effect of result.effects)
      if (effect.type === 'watch-activity') this.#counters.forget(effect.vm);
    for (const { vm, kind, data } of result.decisions) {
      const what = data?.step;
      if (vm === null || (kind !== 'act' && kind !== 'would') || typeof what !== 'string') continue;
      this.#decided('replayed', vm, what, now);
    }
  }

  #decided(side: 'recorded' | 'replayed', vm: VmId, what: string, now: number): void {
    if (this.#out.has(vm) || this.#state?.vms.has(vm) !== true) return;
    if (this.#matcher.note(side, vm, what, now)) this.#leave(vm, now);
  }

  #dropOverdue(now: number): void {
    for (const vm of this.#matcher.overdue(now)) this.#leave(vm, now);
  }

  /** What the journal says of a VM that diverged belongs to another history: it leaves the fleet. */
  #leave(vm: VmId, now: number): void {
    this.#out.add(vm);
    this.#counters.forget(vm);
    const actionId = this.#state?.vms.get(vm)?.action?.action.id;
    if (actionId !== undefined) {
      const result = { result: 'impossible', code: 'diverged', message: 'not in this history' } as const;
      this.#step({ type: 'action-ended', vm, actionId, result }, now);
    }
    this.#step({ type: 'vm-removed', vm }, now);
  }
}

function earliest(...times: readonly (number | null)[]): number | null {
  const known = times.filter((atMs) => atMs !== null);
  return known.length === 0 ? null : Math.min(...known);
}
