import { z } from 'zod';
import type { Channel, ChannelEvent } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { GuestCounter, VmmEvent } from '../../model/ports.js';
import { EventRelay } from '../vmm/event-relay.js';
import { ExpectedEvents } from '../vmm/expected-events.js';
import { MonitorStates } from '../vmm/monitor-states.js';
import type { ExpectedEvent } from '../vmm/reboot-by-agent.js';
import { RestApi } from '../vmm/rest-api.js';
import { EventMapper } from './events.js';

/** The events come by another way than the end of the API; what was said before it is to be heard before it. */
const LAST_WORDS_MS = 10;

const INFO = z.object({ state: z.string() });
const count = z.number().nonnegative().catch(0);
const COUNTERS = z.record(
  z.string(),
  z.object({ read_ops: count, write_ops: count, tx_frames: count }).partial(),
);

const RUN_STATES: Readonly<Record<string, string>> = {
  Running: 'running',
  Paused: 'paused',
  BreakPoint: 'debug',
  // Of a VM that was shut down it says Created.
  Created: 'shutdown',
  Shutdown: 'shutdown',
};

/** API and events of one Cloud Hypervisor. */
export class CloudHypervisorMonitor {
  readonly channel: Channel;
  readonly #api: RestApi;
  readonly #relay = new EventRelay();
  readonly #states = new MonitorStates();
  readonly #mapper = new EventMapper();
  readonly #expected = new ExpectedEvents();
  /** Requests of ours under way that end or reset the guest. */
  #asking = 0;

  constructor(api: Channel, events: Channel | undefined) {
    this.channel = api;
    this.#api = new RestApi(api, (event) => this.#onApiEvent(event));
    events?.onEvent((event) => this.#onEvent(event));
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#relay.listen(listener);
  }

  get(what: 'vmm.ping' | 'vm.info' | 'vm.counters', deadline: Deadline): Promise<unknown> {
    return this.#api.ask(`GET /api/v1/${what}`, undefined, deadline);
  }

  /** Run state in the words that all drivers use; `shutdown` where there is no VM. */
  async status(deadline: Deadline): Promise<string> {
    let info: unknown;
    try {
      info = await this.get('vm.info', deadline);
    } catch (error) {
      if (isVmpulseError(error, 'ERR_VMPULSE_COMMAND') && error.details.class === 'http-404')
        return 'shutdown';
      throw error;
    }
    const answer = INFO.safeParse(info);
    if (!answer.success)
      throw new VmpulseError('ERR_VMPULSE_CHANNEL', 'vm.info has no state: this is no Cloud Hypervisor');
    const { state } = answer.data;
    return Object.hasOwn(RUN_STATES, state) ? (RUN_STATES[state] ?? state) : plainText(state, 64);
  }

  /** Does something without a body and sees to it that the run state is `then`, also where the answer was lost. */
  async act(action: string, then: string, deadline: Deadline): Promise<void> {
    const isDone = async () => (await this.status(deadline)) === then;
    await this.#api.reach(`PUT /api/v1/${action}`, undefined, isDone, deadline);
  }

  /** As `act`, for what ends or resets the guest: its events are then ours. */
  async asOurs(act: () => Promise<void>): Promise<void> {
    this.#asking += 1;
    try {
      await act();
    } finally {
      this.#asking -= 1;
    }
  }

  /** The next reset of the guest; to be called before what causes it, and cancelled in any case. */
  expectReset(): ExpectedEvent {
    return this.#expected.expect('vm.rebooted');
  }

  /** Sent, whatever comes of it. */
  async ask(action: string, deadline: Deadline): Promise<void> {
    await this.#api.ask(`PUT /api/v1/${action}`, undefined, deadline);
  }

  /** Requests of the guest to its disks, and frames that it sent. */
  async counters(deadline: Deadline): Promise<readonly GuestCounter[]> {
    if (!this.channel.connected) return [];
    const devices = COUNTERS.parse(await this.get('vm.counters', deadline));
    return Object.entries(devices).flatMap(([id, { read_ops, write_ops, tx_frames }]) => {
      const name = plainText(id, 64);
      const disk =
        read_ops === undefined ? [] : [{ name: `disk ${name}`, value: read_ops + (write_ops ?? 0) }];
      return tx_frames === undefined ? disk : [...disk, { name: `network ${name}`, value: tx_frames }];
    });
  }

  #onEvent(event: ChannelEvent): void {
    // Also of a burst of resets, which is told once.
    if (event.type === 'event') this.#expected.settle(event.name, event.data);
    this.#relay.tell(this.#mapper.map(event, this.#asking > 0), event.atMs);
  }

  #onApiEvent(event: ChannelEvent): void {
    if (event.type !== 'connected' && event.type !== 'disconnected') return;
    const mapped = this.#states.map(event);
    setTimeout(() => this.#relay.tell(mapped, event.atMs), event.type === 'connected' ? 0 : LAST_WORDS_MS);
  }
}
