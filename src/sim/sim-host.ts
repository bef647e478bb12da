import type { PolicyState } from '../policy/types.js';
import type { HostSigns } from '../runtime/poll-host.js';
import { type DaemonOptions, SimDaemon } from './sim-daemon.js';
import { JournalDisk } from './sim-journal.js';
import type { SimVm } from './sim-vm.js';
import { Snapshots } from './snapshots.js';
import { Stopwatch } from './stopwatch.js';
import type { World } from './world.js';

/** One host with its VMs, its disk, its clock and its daemon. */
export class SimHost {
  readonly world: World;
  readonly name: string;
  readonly vms: SimVm[] = [];
  readonly disk: JournalDisk;
  readonly snapshots: Snapshots;
  readonly #byId = new Map<string, SimVm>();
  readonly #options: DaemonOptions;
  /** The daemon, or nothing, could do anything: no obligation runs meanwhile. */
  readonly blocked: Stopwatch;
  /** Every slot for recoveries or for boots is taken. */
  readonly queueing: Stopwatch;
  daemon: SimDaemon | null = null;
  /** True time of its start. */
  daemonSinceMs = 0;
  /** Bridges that are down, by the /24 behind them. */
  readonly downNetworks = new Set<string>();
  /** Why probes of this host say nothing, if so: no processor time, or no descriptors for connections. */
  hindered: 'prober-late' | 'prober-resources' | null = null;
  /** There is memory for another VMM. */
  canStart = true;
  signs: HostSigns = { shutdown: null, pressure: null, memory: null };
  /** Of the daemon that runs. */
  onSigns: (signs: HostSigns) => void = () => {};
  /** True time since which its signs say that there is hardly any memory. */
  shortOfMemorySinceMs: number | null = null;
  /** It is off, or boots. */
  isDown = false;
  /** It shuts down: nothing may be started any more. */
  isGoingDown = false;
  clockOffsetMs = 0;
  /** By how much its clock was set back, all times together. */
  setBackMs = 0;
  /** True time at which it is as late again as it has been before. */
  repeatsUntilMs = 0;
  /** What its journal knew is lost, and nobody has said anew what must stay off. */
  hasForgotten = false;
  /** How often its journal was lost. */
  losses = 0;
  bootId = 'boot-1';
  #boots = 1;

  constructor(world: World, name: string, options: DaemonOptions) {
    this.world = world;
    this.name = name;
    this.#options = options;
    this.disk = new JournalDisk((entry) => world.heard(this, entry));
    this.snapshots = new Snapshots(() => ({ nowMs: world.timeline.nowMs, wallMs: this.wallMs() }));
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
    this.daemonSinceMs = this.world.timeline.nowMs;
    if (this.disk.full) this.daemon.journal.diskChanged();
    this.blocked.end('daemon');
    this.daemon.start();
  }

  killDaemon(): void {
    this.daemon?.kill();
    this.daemon = null;
    this.onSigns = () => {};
    this.blocked.begin('daemon');
    this.world.checker.noteDaemonEnded(this);
  }

  /** The daemon is up and knows again what a former one held. */
  daemonIsUp({ host }: PolicyState): void {
    if (host.incident === null) this.blocked.end('incident');
    if (host.brake === null) this.blocked.end('brake');
  }

  /** Something that all probes of the host depend on changes. */
  change(what: () => void): void {
    this.daemon?.engine.touchAll();
    what();
    this.daemon?.engine.touchAll();
    for (const vm of this.vms) this.world.changed(vm);
  }

  /** Its wall clock is set. */
  setClock(stepMs: number): void {
    const { nowMs } = this.world.timeline;
    this.change(() => {
      this.clockOffsetMs += stepMs;
      this.setBackMs += Math.max(0, -stepMs);
      this.repeatsUntilMs = Math.max(nowMs, this.repeatsUntilMs) - stepMs;
    });
  }

  /** What is seen of the host itself changes. */
  show(signs: Partial<HostSigns>): void {
    this.signs = { ...this.signs, ...signs };
    if (this.signs.memory === null) this.shortOfMemorySinceMs = null;
    else this.shortOfMemorySinceMs ??= this.world.timeline.nowMs;
    this.world.timeline.stir();
    this.onSigns(this.signs);
  }

  /** Another boot of the host. */
  reboot(): void {
    this.#boots += 1;
    this.bootId = `boot-${this.#boots}`;
  }
}
