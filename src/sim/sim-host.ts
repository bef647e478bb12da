import { type DaemonOptions, SimDaemon } from './sim-daemon.js';
import { JournalDisk } from './sim-journal.js';
import type { SimVm } from './sim-vm.js';
import { Stopwatch } from './stopwatch.js';
import type { World } from './world.js';

/** One host with its VMs, its disk, its clock and its daemon. */
export class SimHost {
  readonly world: World;
  readonly name: string;
  readonly vms: SimVm[] = [];
  readonly disk: JournalDisk;
  readonly #byId = new Map<string, SimVm>();
  readonly #options: DaemonOptions;
  /** The daemon, or nothing, could do anything: no obligation runs meanwhile. */
  readonly blocked: Stopwatch;
  /** Every slot for recoveries or for boots is taken. */
  readonly queueing: Stopwatch;
  daemon: SimDaemon | null = null;
  bridge: 'up' | 'down' = 'up';
  /** The prober gets no processor time. */
  starved = false;
  /** There is memory for another VMM. */
  canStart = true;
  clockOffsetMs = 0;
  bootId = 'boot-1';
  #boots = 1;

  constructor(world: World, name: string, options: DaemonOptions) {
    this.world = world;
    this.name = name;
    this.#options = options;
    this.disk = new JournalDisk((entry) => world.heard(this, entry));
    this.blocked = new Stopwatch(world.timeline);
    this.queueing = new Stopwatch(world.timeline);
  }

  add(vm: SimVm): void {
    this.vms.push(vm);
    this.#byId.set(vm.spec.id, vm);
  }

  expect(id: string): SimVm {
    const vm = this.#byId.get(id);
    if (!vm) throw new Error(`${this.name} has no VM ${id}`);
    return vm;
  }

  find(id: string): SimVm | undefined {
    return this.#byId.get(id);
  }

  wallMs(): number {
    return this.world.timeline.nowMs + this.clockOffsetMs;
  }

  startDaemon(): void {
    this.daemon = new SimDaemon(this, this.#options);
    if (this.disk.full) this.daemon.journal.diskChanged();
    this.blocked.end('daemon');
    this.daemon.start();
  }

  killDaemon(): void {
    this.daemon?.kill();
    this.daemon = null;
    this.blocked.begin('daemon');
    this.world.checker.noteDaemonEnded(this);
  }

  /** Something that all probes of the host depend on changes. */
  change(what: () => void): void {
    this.daemon?.engine.touchAll();
    what();
    this.daemon?.engine.touchAll();
    for (const vm of this.vms) this.world.changed(vm);
  }

  /** Another boot of the host. */
  reboot(): void {
    this.#boots += 1;
    this.bootId = `boot-${this.#boots}`;
  }
}
