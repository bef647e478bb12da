import { z } from 'zod';
import type { Channel, ChannelEvent } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import { EventRelay } from '../vmm/event-relay.js';
import { MonitorStates } from '../vmm/monitor-states.js';
import { RestApi } from '../vmm/rest-api.js';
import { exitReason } from './exit-reason.js';

const INSTANCE = z.object({ state: z.string() });

const RUN_STATES: Readonly<Record<string, string>> = {
  'Not started': 'prelaunch',
  Running: 'running',
  Paused: 'paused',
};

/** The API of one Firecracker. It tells no events; its end, and why, is all that is heard of it. */
export class FirecrackerMonitor {
  readonly channel: Channel;
  readonly #api: RestApi;
  readonly #log: string | undefined;
  readonly #relay = new EventRelay();
  readonly #states = new MonitorStates();

  /** `log`: where it says why it ends; undefined where nobody knows. */
  constructor(channel: Channel, log: string | undefined) {
    this.channel = channel;
    this.#api = new RestApi(channel, (event) => void this.#onEvent(event));
    this.#log = log;
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#relay.listen(listener);
  }

  get(path: '/' | '/version' | '/vm/config', deadline: Deadline): Promise<unknown> {
    return this.#api.ask(`GET ${path}`, undefined, deadline);
  }

  /** Run state in the words that all drivers use. */
  async status(deadline: Deadline): Promise<string> {
    const answer = INSTANCE.safeParse(await this.get('/', deadline));
    if (!answer.success)
      throw new VmpulseError('ERR_VMPULSE_CHANNEL', 'its API names no state: this is no Firecracker');
    const { state } = answer.data;
    return Object.hasOwn(RUN_STATES, state) ? (RUN_STATES[state] ?? state) : plainText(state, 64);
  }

  /** Does it, or finds it done where the answer was lost. */
  async change(state: 'Paused' | 'Resumed', deadline: Deadline): Promise<void> {
    const then = state === 'Paused' ? 'paused' : 'running';
    const isDone = async () => (await this.status(deadline)) === then;
    await this.#api.reach('PATCH /vm', { state }, isDone, deadline);
  }

  async act(action: 'SendCtrlAltDel' | 'FlushMetrics', deadline: Deadline): Promise<void> {
    await this.#api.ask('PUT /actions', { action_type: action }, deadline);
  }

  async #onEvent(event: ChannelEvent): Promise<void> {
    if (event.type !== 'connected' && event.type !== 'disconnected') return;
    const mapped = this.#states.map(event);
    // Why it ended comes before that it is gone.
    if (mapped?.type === 'monitor' && mapped.state === 'lost' && this.#log !== undefined)
      this.#relay.tell(await exitReason(this.#log), event.atMs);
    this.#relay.tell(mapped, event.atMs);
  }
}
