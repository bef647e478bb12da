import { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { GuestCounter, VmmEvent } from '../../model/ports.js';
import { EventRelay } from '../vmm/event-relay.js';
import { EVENT_IDS, EventMapper, endingOf } from './domain-events.js';
import type { ConnectionState } from './rpc/connection.js';
import type { DomainRef } from './rpc/domain.js';
import { Libvirt, STATS } from './rpc/libvirt.js';
import { runState } from './run-state.js';
import type { LibvirtPlace } from './uri.js';

const POLL_MS = 50;
/** An answer that QEMU owes libvirt for longer shows that it hangs. */
const OCCUPIED_MS = 10_000;
const ASK_MS = 5_000;
const MAX_WHY_CHARS = 200;

/** Of one domain: its state, commands and events, over a connection of its own. */
export class LibvirtMonitor {
  readonly libvirt: Libvirt;
  readonly domain: DomainRef;
  readonly #mapper = new EventMapper();
  readonly #relay = new EventRelay();
  #state: ConnectionState['state'] | undefined;
  /** Resets and reboots of ours under way. */
  #asking = 0;
  #resets = 0;

  constructor({ sockets, uri }: LibvirtPlace, domain: DomainRef) {
    this.domain = domain;
    this.libvirt = new Libvirt({
      sockets,
      uri,
      eventsOf: { domain, ids: EVENT_IDS },
      onState: (state) => this.#onState(state),
      onMessage: (procedure, body) => {
        const atMs = Date.now();
        for (const event of this.#mapper.map(procedure, body, this.#asking > 0, atMs))
          this.#tell(event, atMs);
      },
    });
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#relay.listen(listener);
  }

  close(): void {
    this.libvirt.close();
  }

  /**
   * Run state in the words that all drivers use. Throws ERR_VMPULSE_CHANNEL of the class `vmm-silent` where libvirt answers
   * and its QEMU does not.
   */
  async status(deadline: Deadline): Promise<string> {
    const { libvirt, domain } = this;
    const [state, control] = await Promise.all([
      libvirt.state(domain, deadline),
      libvirt.controlInfo(domain, deadline),
    ]);
    const isSilent =
      control.state === 'error' || (control.state === 'occupied' && control.forMs > OCCUPIED_MS);
    if (!isSilent) return runState(state);
    const why =
      control.state === 'error'
        ? 'libvirt has lost the monitor of its QEMU'
        : `its QEMU has not answered libvirt for ${Math.round(control.forMs / 1000)} s`;
    throw new VmpulseError('ERR_VMPULSE_CHANNEL', `${domain.name}: ${why}`, {
      details: { class: 'vmm-silent' },
    });
  }

  /** Resets the guest and sees to it that it runs; one that was paused, or had panicked, is continued after it. */
  async reset(deadline: Deadline): Promise<void> {
    await this.#asOurs(async () => {
      await this.libvirt.reset(this.domain, deadline);
      await this.#untilRunning(deadline);
    });
  }

  /** Asks the guest, and waits until it has begun anew. */
  async reboot(deadline: Deadline): Promise<void> {
    await this.#asOurs(async () => {
      const before = this.#resets;
      await this.libvirt.reboot(this.domain, deadline);
      await deadline.until(POLL_MS, () => this.#resets > before || undefined);
      await this.#untilRunning(deadline);
    });
  }

  /** One that runs is no error: whoever asks wants it to run. */
  async resume(deadline: Deadline): Promise<void> {
    await this.#untilRunning(deadline);
  }

  /** Requests of the guest to its disks, and packets that it sent; empty while others hold the domain. */
  async counters(deadline: Deadline): Promise<readonly GuestCounter[]> {
    const stats = await this.libvirt.stats(this.domain, STATS.block | STATS.interface, deadline);
    const number = (name: string) => Number(stats.get(name) ?? 0);
    const nameOf = (group: string, index: number) =>
      plainText(String(stats.get(`${group}.${index}.name`) ?? index), 64);
    const list = (group: string) => Array.from({ length: number(`${group}.count`) }, (_, index) => index);
    const disks = list('block').map((index): GuestCounter => {
      const value = ['rd', 'wr', 'fl'].reduce((sum, way) => sum + number(`block.${index}.${way}.reqs`), 0);
      return { name: `disk ${nameOf('block', index)}`, value };
    });
    const networks = list('net').map((index): GuestCounter => {
      return { name: `network ${nameOf('net', index)}`, value: number(`net.${index}.tx.pkts`) };
    });
    return [...disks, ...networks];
  }

  /** Interrupts that KVM has injected (libvirt 8.9 and later); undefined where nobody counts, as under emulation. */
  async injections(deadline: Deadline): Promise<number | undefined> {
    const stats = await this.libvirt.stats(this.domain, STATS.vcpu, deadline);
    const counts = [...stats].flatMap(([name, value]) =>
      /^vcpu\.\d+\.irq_injections\.sum$/.test(name) && typeof value === 'number' ? [value] : [],
    );
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
  }

  async #asOurs(act: () => Promise<void>): Promise<void> {
    this.#asking += 1;
    try {
      await act();
    } finally {
      this.#asking -= 1;
    }
  }

  async #untilRunning(deadline: Deadline): Promise<void> {
    await deadline.until(POLL_MS, async () => {
      const status = await this.status(deadline);
      if (status === 'running') return true;
      // What libvirt refuses may have come true meanwhile.
      await this.libvirt.resume(this.domain, deadline).catch(refusedAsUndefined);
      return undefined;
    });
  }

  #tell(event: VmmEvent, atMs: number): void {
    if (event.type === 'reset') this.#resets += 1;
    if (event.type === 'monitor') this.#state = event.state;
    this.#relay.tell(event, atMs);
  }

  /** Each attempt to connect again says the same. */
  #onState(now: ConnectionState): void {
    if (now.state === this.#state) return;
    const event: VmmEvent =
      now.state === 'connected'
        ? { type: 'monitor', state: 'connected' }
        : { type: 'monitor', state: now.state, why: plainText(now.why, MAX_WHY_CHARS) };
    this.#tell(event, Date.now());
    if (now.state === 'connected') void this.#askHowItEnded().catch(() => {});
  }

  /** Its end may have come while nobody listened. */
  async #askHowItEnded(): Promise<void> {
    const deadline = new Deadline(`state of ${this.domain.name}`, { deadlineMs: ASK_MS });
    for (const event of endingOf(await this.libvirt.state(this.domain, deadline)))
      this.#tell(event, Date.now());
  }
}

function refusedAsUndefined(error: unknown): undefined {
  if (!isVmpulseError(error, 'ERR_VMPULSE_COMMAND')) throw error;
}
