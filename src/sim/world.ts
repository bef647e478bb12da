import type { LadderStep } from '../model/action.js';
import { LADDER_STEPS } from '../model/action.js';
import type { StoredJournalEntry } from '../model/ports.js';
import type { RecoverySpec } from '../model/vm.js';
import type { PolicyConfig } from '../policy/types.js';
import { Checker } from './checker.js';
import { simulatedVm } from './fleet.js';
import { Judge } from './judge.js';
import { ListChecker } from './list-checker.js';
import { Operator } from './operator.js';
import { Random } from './random.js';
import type { Canary } from './sim-daemon.js';
import { SimHost } from './sim-host.js';
import { SimVm } from './sim-vm.js';
import { Timeline } from './timeline.js';

const START_MS = Date.UTC(2030, 0, 1);
/** An entry is written within this, unless the disk is full. */
const WRITTEN_MS = 5_000;

export type OnStory = (atMs: number, host: string, vm: string | null, text: string) => void;

export interface WorldOptions {
  readonly seed: number;
  readonly vms: number;
  readonly hosts: number;
  /** What VMs are recovered by, in turn; not empty. */
  readonly recoveries: readonly RecoverySpec[];
  readonly policy: PolicyConfig;
  readonly canary: Canary;
  /** False: every probe is run one by one. */
  readonly maySleep: boolean;
  /** Takes every entry of every journal. */
  readonly onEntry?: (host: string, entry: StoredJournalEntry) => void;
  /** Takes what happened to a VM, or (null) to a host, for people. */
  readonly onStory?: OnStory;
}

/** Everything that is simulated under one seed. */
export class World {
  readonly timeline = new Timeline(START_MS);
  readonly random: Random;
  readonly hosts: readonly SimHost[];
  readonly judge: Judge;
  readonly checker: Checker;
  readonly lists: ListChecker;
  readonly operator: Operator;
  readonly #options: WorldOptions;
  readonly #onAct: ((vm: SimVm) => void)[] = [];
  #pid = 1_000;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(`seed ${options.seed}`);
    this.judge = new Judge(this);
    this.checker = new Checker(this, options.policy);
    this.lists = new ListChecker(this, options.policy);
    this.operator = new Operator(this);
    const { policy, maySleep, canary } = options;
    this.hosts = Array.from(
      { length: options.hosts },
      (_, i) => new SimHost(this, `host-${i + 1}`, { policy, maySleep, canary }),
    );
    for (let i = 0; i < options.vms; i++) {
      const host = this.hosts[i % this.hosts.length];
      if (!host) continue;
      const nth = host.vms.length;
      // Two bridges a host.
      const address = `10.${i % this.hosts.length}.${nth % 2}.${2 + (nth >> 1)}`;
      const recovery = options.recoveries[i % options.recoveries.length];
      if (!recovery) throw new RangeError('VMs without a recovery');
      const spec = simulatedVm(`vm-${i + 1}`, address, this.random, recovery);
      host.add(new SimVm(this, host, spec, this.random.between(15_000, 60_000)));
    }
  }

  /** Every VM runs and is up when the daemons come. */
  begin(): void {
    for (const vm of this.vms) vm.spawn();
    this.timeline.after(90_000, () => {
      for (const host of this.hosts) host.startDaemon();
    });
  }

  get vms(): SimVm[] {
    return this.hosts.flatMap((host) => host.vms);
  }

  find(id: string): SimVm | undefined {
    for (const host of this.hosts) {
      const vm = host.find(id);
      if (vm) return vm;
    }
    return undefined;
  }

  nextPid(): number {
    return this.#pid++;
  }

  /** Something about a VM has changed, in truth. */
  changed(vm: SimVm): void {
    this.judge.noteChange(vm);
    this.checker.noteChange(vm);
    this.lists.noteChange(vm);
  }

  /** An entry of a journal is durable. */
  heard(host: SimHost, entry: StoredJournalEntry): void {
    this.#options.onEntry?.(host.name, entry);
    if (entry.vm === null) this.#heardOfHost(host, entry);
    const vm = entry.vm === null ? undefined : host.find(entry.vm);
    this.story(host, vm ?? null, `${entry.type}: ${entry.text}`);
    if (!vm) return;
    if (entry.type === 'action-start') {
      const step = stepOf(entry);
      const { isNoFailure } = this.judge.noteAct(vm, step);
      // Its end was not seen by this daemon: to it, the VM was simply not running.
      const unseen = step === 'start' && vm.endedAtMs <= host.daemonSinceMs;
      this.checker.noteActionStart(vm, entry, step, isNoFailure || unseen);
      for (const then of this.#onAct.splice(0)) then(vm);
    } else if (entry.type === 'action-end') {
      this.checker.noteActionEnd(vm, entry);
    } else if (entry.type === 'decision' && entry.data.kind === 'quarantine') {
      this.operator.quarantined(vm);
    }
  }

  /** Calls once when the next action begins, on whatever VM. */
  onNextAct(then: (vm: SimVm) => void): void {
    this.#onAct.push(then);
  }

  /** While many VMs are held together, none of them can be blamed for. */
  #heardOfHost(host: SimHost, { atMs, type, data }: StoredJournalEntry): void {
    if (type !== 'decision') return;
    const { kind, rule } = data;
    const { policy } = this.#options;
    // What had to wait for space on the disk says nothing of now.
    const isNow = host.wallMs() - atMs < WRITTEN_MS;
    if (rule === 'diagnosis/shared-cause') {
      host.blocked.begin('incident');
      if (isNow) this.judge.noteHeldTogether(host, 'an incident was declared', policy.sharedCauseMinVms);
    }
    if (rule === 'fleet-brake' && kind === 'hold') {
      host.blocked.begin('brake');
      if (isNow) this.judge.noteHeldTogether(host, 'the fleet brake was engaged', policy.brakeMinVms);
    }
    if (rule === 'shared-cause' && kind === 'note') host.blocked.end('incident');
    if (rule === 'fleet-brake' && kind === 'note') host.blocked.end('brake');
  }

  story(host: SimHost, vm: SimVm | null, text: string): void {
    this.#options.onStory?.(this.timeline.nowMs, host.name, vm?.spec.id ?? null, text);
  }
}

function stepOf(entry: StoredJournalEntry): LadderStep {
  const step = LADDER_STEPS.find((known) => known === entry.data.step);
  if (step === undefined) throw new Error(`the journal names an unknown step: ${String(entry.data.step)}`);
  return step;
}
