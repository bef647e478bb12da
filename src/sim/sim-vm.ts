import type { VmmEvent } from '../model/ports.js';
import type { ProcessIdentity, VmSpec } from '../model/vm.js';
import type { SimHost } from './sim-host.js';
import { Stopwatch } from './stopwatch.js';
import type { World } from './world.js';

export type GuestState = 'off' | 'booting' | 'up' | 'hung' | 'panicked';
export type ServiceState = 'ok' | 'crashed' | 'slow';
/** What brings a broken service back: its restart, a boot of the guest, or only a person. */
export type Cure = 'restart' | 'boot' | 'repair';
/** Who holds a VM's virtual CPUs still. */
export type Pause = 'person' | 'disk' | null;

export interface Vmm {
  readonly process: ProcessIdentity;
  /** True time. */
  readonly startedAtMs: number;
}

/** A guest that works uses its disk, and sends something, at least this often. */
const TICK_MS = 500;

/**
 * What is really the case with one VM. Nobody but the faults, the driver's effects and the judge knows it; the
 * supervisor sees probes and events only.
 */
export class SimVm {
  readonly world: World;
  readonly host: SimHost;
  readonly spec: VmSpec;
  /** The /24 of its address. */
  readonly network: string;
  vmm: Vmm | null = null;
  guest: GuestState = 'off';
  service: ServiceState = 'ok';
  cure: Cure = 'restart';
  agent: 'ok' | 'dead' = 'ok';
  monitor: 'ok' | 'wedged' | 'held' = 'ok';
  /** Process state T. */
  stopped = false;
  paused: Pause = null;
  link: 'up' | 'down' = 'up';
  /** Requests to its disk are not answered. */
  stalled = false;
  /** Share of packets that are lost on the way. */
  loss = 0;
  /** Of a boot, ms. */
  bootMs: number;
  /** The next boot takes longer (fsck), ms; 0: it does not. */
  extraBootMs = 0;
  /** True time of the present boot. */
  bootedAtMs = 0;
  /** True time at which its last VMM ended. */
  endedAtMs = 0;
  /** Somebody decided that it is not to run now. */
  wantedOff = false;
  /** Of the attached daemon, if any. */
  listener: ((event: VmmEvent, atMs: number) => void) | null = null;
  #boots = 0;
  readonly #usesDisk: Stopwatch;
  readonly #sends: Stopwatch;

  constructor(world: World, host: SimHost, spec: VmSpec, bootMs: number) {
    this.world = world;
    this.host = host;
    this.spec = spec;
    this.network = (spec.address ?? '').split('.').slice(0, 3).join('.');
    this.bootMs = bootMs;
    this.#usesDisk = new Stopwatch(world.timeline);
    this.#sends = new Stopwatch(world.timeline);
  }

  /** Totals that only the guest makes grow. */
  get counters(): { readonly disk: number; readonly network: number } {
    return {
      disk: Math.floor(this.#usesDisk.totalMs / TICK_MS),
      network: Math.floor(this.#sends.totalMs / TICK_MS),
    };
  }

  get hasAgent(): boolean {
    return this.spec.hypervisor.guestAgent;
  }

  /** Its guest executes instructions. */
  get runs(): boolean {
    return this.vmm !== null && !this.stopped && this.paused === null;
  }

  /** What needs its disk gets on. */
  get #works(): boolean {
    return this.runs && this.guest === 'up' && !this.stalled;
  }

  /** Its users get what they want: the truth that availability is counted from. */
  get serves(): boolean {
    return this.isWell && this.link === 'up' && this.networkUp;
  }

  /** The bridge that it hangs on. */
  get networkUp(): boolean {
    return !this.host.downNetworks.has(this.network);
  }

  /** Nothing is wrong inside, whatever is wrong on the way to it. */
  get isWell(): boolean {
    return this.#works && this.service === 'ok';
  }

  /** Applies a change and lets everything that looks at it notice. */
  change(what: () => void): void {
    what();
    const lives = this.runs && (this.guest === 'up' || this.guest === 'booting');
    follow(this.#usesDisk, lives && !this.stalled);
    follow(this.#sends, this.runs && this.guest === 'up' && this.link === 'up');
    this.host.daemon?.engine.touch(this.spec.id);
    this.world.changed(this);
  }

  /** A new VMM process, whoever starts it; its guest boots. */
  spawn(): Vmm {
    const { nowMs } = this.world.timeline;
    const process = { pid: this.world.nextPid(), startTimeTicks: Math.floor(nowMs / 10) };
    this.world.checker.noteSpawn(this);
    this.vmm = { process, startedAtMs: nowMs };
    this.stopped = false;
    this.paused = null;
    this.monitor = 'ok';
    this.bootGuest();
    return this.vmm;
  }

  /** The guest begins to boot; what was wrong in it is over, except what only a person repairs. */
  bootGuest(): void {
    const { timeline } = this.world;
    this.#boots += 1;
    const boot = this.#boots;
    this.bootedAtMs = timeline.nowMs;
    this.change(() => {
      this.guest = 'booting';
      this.agent = 'ok';
      if (this.cure !== 'repair') this.service = 'ok';
    });
    const { extraBootMs } = this;
    this.extraBootMs = 0;
    timeline.after(this.bootMs + extraBootMs, () => {
      if (boot !== this.#boots || this.guest !== 'booting') return;
      this.change(() => {
        this.guest = 'up';
      });
    });
  }

  /** The service comes back without the guest being booted. True: so the command says, which need not be so. */
  restartService(): boolean {
    if (this.cure !== 'restart') return this.world.random.chance(0.5);
    this.change(() => {
      this.service = 'ok';
    });
    return true;
  }

  /** The VMM ends. `words`: what it said before, if anything. */
  die(words: readonly VmmEvent[] = []): void {
    if (this.vmm === null) return;
    for (const word of words) this.say(word);
    if (this.monitor === 'ok') this.tell({ type: 'monitor', state: 'lost' });
    this.#boots += 1;
    this.change(() => {
      this.vmm = null;
      this.guest = 'off';
      this.stopped = false;
      this.paused = null;
      this.monitor = 'ok';
      if (this.cure !== 'repair') this.service = 'ok';
    });
    this.host.daemon?.engine.processEnded(this.spec.id);
    this.listener = null;
    this.endedAtMs = this.world.timeline.nowMs;
    this.world.operator.mayMiss(this);
  }

  /** An event of the VMM; nobody hears it while its monitor does not work. */
  say(event: VmmEvent): void {
    if (this.vmm !== null && !this.stopped && this.monitor === 'ok') this.tell(event);
  }

  tell(event: VmmEvent): void {
    if (this.listener === null) return;
    this.world.timeline.stir();
    this.listener(event, this.host.wallMs());
  }

  /** Whatever is wrong with it is put right. */
  repair(): void {
    this.change(() => {
      this.service = 'ok';
      this.cure = 'restart';
      this.agent = 'ok';
      this.link = 'up';
      this.loss = 0;
      this.stalled = false;
      this.stopped = false;
      if (this.monitor === 'wedged') this.monitor = 'ok';
    });
  }

  /** The service is slow for as long as its host is: no restart helps. */
  slowDown(): void {
    this.service = 'slow';
    this.cure = 'repair';
  }

  speedUp(): void {
    if (this.service === 'slow') this.service = 'ok';
    this.cure = 'restart';
  }

  pause(by: NonNullable<Pause>): void {
    this.change(() => {
      this.paused = by;
    });
    this.say({ type: 'paused' });
  }

  resume(): void {
    this.change(() => {
      this.paused = null;
    });
    this.say({ type: 'resumed' });
  }
}

function follow(watch: Stopwatch, runs: boolean): void {
  if (runs === watch.runs) return;
  if (runs) watch.begin('it');
  else watch.end('it');
}
