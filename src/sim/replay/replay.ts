import type { RecoverySpec, VmId } from '../../model/vm.js';
import { createPolicy, restore, serialize, step } from '../../policy/index.js';
import type { PolicyConfig, PolicyEvent, PolicyState } from '../../policy/types.js';
import { type Divergence, Matcher } from './match.js';
import { type Line, readLine } from './record.js';

/** The engine delivers a transition this much after it, at most; what is older is a step of the clock. */
const LATE_MS = 60_000;
/** While nothing is told counters go on as before; this often they were compared. */
const COMPARED_MS = 10_050;

export interface ReplayOptions {
  /** Host-wide limits to be tried. */
  readonly policy: PolicyConfig;
  /** What is tried for every VM instead of what it had then; unset: what it had. */
  readonly recovery?: RecoverySpec;
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

/** Counters of a guest as they were last told of, and when they count as compared again. */
interface Moving {
  readonly moved: readonly string[];
  nextMs: number;
}

/** Feeds a policy what a daemon told its own, and compares what both decide. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #matcher = new Matcher();
  readonly #vms = new Set<VmId>();
  readonly #out = new Set<VmId>();
  readonly #moving = new Map<VmId, Moving>();
  #state: PolicyState | undefined;
  #nowMs: number | null = null;
  #wakeAtMs: number | null = null;
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
    if (line.told?.type === 'daemon') this.#restart(line.told.remembers);
    if (this.#state === undefined) {
      this.#skipped += 1;
      return;
    }
    const now = this.#nowOf(line);
    this.#fromMs ??= now;
    // What was decided in a millisecond in which an alarm rang is told after it; an event may have come before.
    this.#pass(line.told?.type === 'event' ? now : now + 1);
    this.#nowMs = now;
    if (line.told?.type === 'decided') this.#decided('recorded', line.told.vm, line.told.step, now);
    if (line.told?.type === 'event') this.#tell(line.told.event, now);
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
  #restart(remembers: boolean): void {
    const { policy } = this.#options;
    this.#state =
      this.#state === undefined || !remembers
        ? createPolicy(policy)
        : restore(serialize(this.#state), policy);
    this.#starts += 1;
    this.#wakeAtMs = null;
    this.#nowMs = null;
    this.#moving.clear();
  }

  #nowOf({ atMs }: Line): number {
    const before = this.#nowMs;
    return before !== null && atMs < before && before - atMs < LATE_MS ? before : atMs;
  }

  /** Lets the policy's own alarms ring, and counters be compared, until then. */
  #pass(untilMs: number): void {
    for (;;) {
      const [vm, moving] = this.#nextMoving();
      const atMs = Math.min(
        this.#wakeAtMs ?? Number.POSITIVE_INFINITY,
        moving?.nextMs ?? Number.POSITIVE_INFINITY,
      );
      if (atMs >= untilMs) return;
      if (moving === undefined || vm === undefined || moving.nextMs > atMs) {
        this.#step({ type: 'tick' }, atMs);
      } else {
        moving.nextMs = atMs + COMPARED_MS;
        this.#step({ type: 'activity', vm, moved: moving.moved, atMs }, atMs);
      }
      this.#dropOverdue(atMs);
    }
  }

  #nextMoving(): readonly [VmId | undefined, Moving | undefined] {
    let first: readonly [VmId | undefined, Moving | undefined] = [undefined, undefined];
    for (const [vm, moving] of this.#moving)
      if (first[1] === undefined || moving.nextMs < first[1].nextMs) first = [vm, moving];
    return first;
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
      return { ...event, vm: { ...vm, recovery: this.#tried(vm.recovery) } };
    }
    const id = 'vm' in event ? event.vm : null;
    if (id === null) return event;
    const vm = this.#state?.vms.get(id);
    if (vm === undefined) return null;
    switch (event.type) {
      case 'confirmed':
        return vm.confirm === null ? null : { ...event, confirmId: vm.confirm.id };
      case 'action-ended':
      case 'action-held':
        return vm.action === null ? null : { ...event, actionId: vm.action.action.id };
      case 'activity':
        this.#moving.set(id, { moved: event.moved, nextMs: event.atMs + COMPARED_MS });
        return event;
      default:
        return event;
    }
  }

  /** Whether recovery is on, and which commands its guest has, is a matter of the VM. */
  #tried(recorded: RecoverySpec): RecoverySpec {
    const { recovery } = this.#options;
    if (recovery === undefined) return recorded;
    const { enabled, restartService, exec, cleanup } = recorded;
    return {
      ...recovery,
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
    this.#wakeAtMs = result.wakeAtMs;
    for (const effect of result.effects) if (effect.type === 'watch-activity') this.#moving.delete(effect.vm);
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
    this.#moving.delete(vm);
    const actionId = this.#state?.vms.get(vm)?.action?.action.id;
    if (actionId !== undefined) {
      const result = { result: 'impossible', code: 'diverged', message: 'not in this history' } as const;
      this.#step({ type: 'action-ended', vm, actionId, result }, now);
    }
    this.#step({ type: 'vm-removed', vm }, now);
  }
}
