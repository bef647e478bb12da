import { type LadderStep, NEW_INSTANCE_STEPS, NEW_VMM_STEPS } from '../model/action.js';
import type { StoredJournalEntry } from '../model/ports.js';
import type { PolicyConfig, PolicyState } from '../policy/types.js';
import type { SimHost } from './sim-host.js';
import type { SimVm } from './sim-vm.js';
import type { World } from './world.js';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** From a decision to the journal entry of its action, with proof and evidence in between. */
const DECISION_MS = 10_000;
/** How old the proof that a start is possible may be when a VMM is ended. */
const PROOF_MS = 60_000;

interface Account {
  /** Action in flight. */
  flying: { readonly id: string; readonly step: LadderStep; readonly charged: boolean } | null;
  /** Times of what the VM's budget paid for, by the clock of its host, which budgets go by too; oldest first. */
  charged: number[];
  inARow: number;
  provenAtMs: number;
  /** It has been well since then; null: it is not. */
  wellSinceMs: number | null;
}

/**
 * The invariants, checked against the truth, the journal and what the driver was told; the policy's own opinion of
 * them is not asked.
 */
export class Checker {
  readonly #world: World;
  readonly #limits: PolicyConfig;
  readonly #accounts = new Map<SimVm, Account>();
  readonly #ids = new Set<string>();
  readonly #brakeReleased = new Set<SimHost>();
  readonly #boots = new Map<SimHost, number[]>();

  constructor(world: World, limits: PolicyConfig) {
    this.#world = world;
    this.#limits = limits;
  }

  /** The supervisor did what it never should (rejected, threw). */
  noteBroken(host: SimHost, what: string): void {
    this.#world.judge.findOfHost('violation', host, what);
  }

  noteSpawn(vm: SimVm): void {
    if (vm.vmm !== null) this.#violation(vm, 'a second VMM process was started');
  }

  noteProof(vm: SimVm): void {
    this.#account(vm).provenAtMs = this.#now;
  }

  noteKill(vm: SimVm): void {
    if (this.#now - this.#account(vm).provenAtMs > PROOF_MS) {
      this.#violation(vm, 'its VMM was ended without proof that a start is possible');
    }
  }

  /** The driver changes something about the VM: the journal must say so beforehand. */
  noteEffect(vm: SimVm, steps: readonly LadderStep[]): void {
    const { flying } = this.#account(vm);
    if (flying === null || !vm.host.disk.open.has(flying.id)) {
      this.#violation(vm, `${steps[0]} without a durable entry in the journal`);
    } else if (!steps.includes(flying.step)) {
      this.#violation(vm, `${steps[0]} under the entry of ${flying.step}`);
    }
  }

  noteChange(vm: SimVm): void {
    const account = this.#account(vm);
    if (vm.isWell) {
      account.wellSinceMs ??= this.#now;
    } else if (account.wellSinceMs !== null) {
      this.#settleStable(vm, account);
      account.wellSinceMs = null;
    }
  }

  noteActionStart(vm: SimVm, entry: StoredJournalEntry, step: LadderStep, isNoFailure: boolean): void {
    const id = entry.actionId ?? '';
    const account = this.#account(vm);
    if (account.flying !== null) this.#violation(vm, `${step} while ${account.flying.step} is in flight`);
    if (this.#ids.has(id)) this.#violation(vm, `the action ${id} began twice`);
    this.#ids.add(id);
    account.flying = { id, step, charged: !isNoFailure };
    this.#checkMoment(vm, step);
    this.#checkHost(vm.host, step);
    if (isNoFailure) return;
    this.#checkBrake(vm, step);
    this.#charge(vm, account);
  }

  noteActionEnd(vm: SimVm, entry: StoredJournalEntry): void {
    const account = this.#account(vm);
    const { flying } = account;
    if (flying?.id !== entry.actionId) return;
    account.flying = null;
    if (entry.data.result === 'impossible' && flying.charged) {
      account.inARow = Math.max(0, account.inARow - 1);
      account.charged.pop();
    }
    this.#queueing(vm.host);
  }

  /** A person let the VM out. */
  noteReleased(vm: SimVm): void {
    this.#account(vm).inARow = 0;
  }

  /** The journal lost what was known of the VM. */
  noteForgotten(vm: SimVm): void {
    const account = this.#account(vm);
    account.inARow = 0;
    account.charged = [];
  }

  /** What was in flight is found out by looking; nothing of it is in flight in the next daemon. */
  noteDaemonEnded(host: SimHost): void {
    for (const vm of host.vms) this.#account(vm).flying = null;
    this.#queueing(host);
  }

  /** Nothing may grow without bounds. */
  checkBounds(host: SimHost, state: PolicyState): void {
    const vms = host.vms.length;
    const wrong = (what: string) => this.#world.judge.findOfHost('violation', host, what);
    const { queues, wakes, boots, groups, recent } = state.host;
    for (const [line, queue] of Object.entries(queues)) {
      if (queue.length > 4 * vms + 256) wrong(`the queue ${line} of the host is not bounded`);
    }
    if (groups.size > 32 * vms || recent.size > vms) wrong('what the policy counts is not bounded');
    if (wakes.length > 4 * vms + 256) wrong('the wakes of the policy are not bounded');
    if (boots.length > this.#limits.maxBootsPerMinute) wrong('more boots a minute than allowed');
    for (const vm of state.vms.values()) {
      if (vm.past.length > this.#limits.episodesKept) wrong(`${vm.id} keeps too many episodes`);
      if ((vm.episode?.attempts.length ?? 0) > 64) wrong(`${vm.id} keeps too many attempts`);
    }
  }

  /** At the end: what began has ended. */
  finish(): void {
    for (const [vm, { flying }] of this.#accounts) {
      if (flying === null) continue;
      const startedAtMs = vm.host.disk.open.get(flying.id)?.atMs ?? this.#now;
      const forMs = vm.host.wallMs() - startedAtMs;
      const allowedMs = vm.spec.recovery.stepTimeoutMs + MINUTE_MS;
      if (forMs > allowedMs && forMs < DAY_MS) this.#violation(vm, `${flying.step} never ended`);
    }
  }

  #checkMoment(vm: SimVm, step: LadderStep): void {
    const { graceMs } = vm.spec.recovery;
    const { host } = vm;
    if (host.blocked.has('person')) this.#violation(vm, `${step} while a person holds all recovery`);
    if (host.blocked.has('journal')) this.#violation(vm, `${step} while the journal failed`);
    if (host.isGoingDown) this.#violation(vm, `${step} while the host shuts down`);
    const shortForMs = this.#now - (host.shortOfMemorySinceMs ?? this.#now);
    if (NEW_VMM_STEPS.has(step) && shortForMs > DECISION_MS)
      this.#violation(vm, `${step} while the host is short of memory`);
    if (vm.paused === 'person') this.#violation(vm, `${step} while a person or a tool has paused it`);
    // That a person boots the guest of a VMM that says nothing is heard by nobody.
    const isHeard = !vm.stopped && vm.monitor !== 'wedged';
    const boots = vm.guest === 'booting' && isHeard && step !== 'start';
    if (boots && this.#now - vm.bootedAtMs < graceMs - 2_000) this.#violation(vm, `${step} during grace`);
  }

  #checkHost(host: SimHost, step: LadderStep): void {
    const { maxConcurrentRecoveries, maxBootsPerMinute } = this.#limits;
    const flying = this.#flying(host);
    if (flying > maxConcurrentRecoveries) {
      this.#world.judge.findOfHost('violation', host, `${flying} recoveries at once`);
    }
    if (NEW_INSTANCE_STEPS.has(step)) {
      const boots = [...(this.#boots.get(host) ?? []), this.#now].filter((atMs) => atMs > this.#now - 59_000);
      this.#boots.set(host, boots);
      if (boots.length > maxBootsPerMinute) {
        this.#world.judge.findOfHost('violation', host, `${boots.length} boots in a minute`);
      }
      if (boots.length >= maxBootsPerMinute) {
        host.queueing.begin('boots');
        this.#world.timeline.after(MINUTE_MS, () => host.queueing.end('boots'));
      }
    }
    this.#queueing(host);
  }

  /** A large part of the fleet has been failing for a while, and not for so long that it is old news. */
  #checkBrake(vm: SimVm, step: LadderStep): void {
    const { host } = vm;
    const { brakeRatio, brakeMinVms } = this.#limits;
    const wanted = host.vms.filter((one) => !one.wantedOff);
    const failing = wanted.filter((one) => {
      const { serves, badSinceMs, blocked } = this.#world.judge.docket(one);
      const forMs = this.#now - Math.max(badSinceMs, host.daemonSinceMs);
      return !serves && !blocked.has('quarantine') && forMs > MINUTE_MS && forMs < 25 * MINUTE_MS;
    });
    if (failing.length < brakeMinVms || failing.length < brakeRatio * wanted.length) {
      this.#brakeReleased.delete(host);
    } else if (!this.#brakeReleased.has(host)) {
      this.#violation(vm, `${step} while ${failing.length} of ${wanted.length} VMs of its host fail`);
    }
  }

  /** A person let the brake go: until fewer fail, it is theirs. */
  noteResumed(host: SimHost): void {
    this.#brakeReleased.add(host);
  }

  #queueing(host: SimHost): void {
    if (this.#flying(host) >= this.#limits.maxConcurrentRecoveries) host.queueing.begin('slots');
    else host.queueing.end('slots');
  }

  #flying(host: SimHost): number {
    return host.vms.filter((vm) => this.#account(vm).flying !== null).length;
  }

  #charge(vm: SimVm, account: Account): void {
    const { maxConsecutive, maxPer24h } = vm.spec.recovery;
    this.#settleStable(vm, account);
    const wallMs = vm.host.wallMs();
    account.charged = [...account.charged.filter((atMs) => atMs > wallMs - DAY_MS + MINUTE_MS), wallMs];
    account.inARow += 1;
    if (account.charged.length > maxPer24h) {
      this.#violation(vm, `${account.charged.length} actions in 24 hours, ${maxPer24h} are allowed`);
    }
    if (account.inARow > maxConsecutive) {
      this.#violation(vm, `${account.inARow} actions in a row, ${maxConsecutive} are allowed`);
    }
  }

  /** Probes notice half a minute late that it fails again; so much less is enough to pass for stable. */
  #settleStable(vm: SimVm, account: Account): void {
    const { wellSinceMs } = account;
    if (wellSinceMs !== null && this.#now - wellSinceMs >= vm.spec.recovery.stableForMs / 3) {
      account.inARow = 0;
    }
  }

  #violation(vm: SimVm, text: string): void {
    this.#world.judge.find('violation', vm, text);
  }

  #account(vm: SimVm): Account {
    let account = this.#accounts.get(vm);
    if (!account) {
      account = { flying: null, charged: [], inARow: 0, provenAtMs: 0, wellSinceMs: null };
      this.#accounts.set(vm, account);
    }
    return account;
  }

  get #now(): number {
    return this.#world.timeline.nowMs;
  }
}
