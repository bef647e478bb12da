import { z } from 'zod';
import type { Channel, ChannelEvent } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import { EventRelay } from '../vmm/event-relay.js';
import { ExpectedEvents } from '../vmm/expected-events.js';
import type { ExpectedEvent } from '../vmm/reboot-by-agent.js';
import { EventMapper } from './events.js';

const STATUS = z.object({ status: z.string() });

/** The QMP side of one VMM: commands with deadlines, and its events for one listener. */
export class QemuMonitor {
  readonly channel: Channel;
  /** Resolves when the monitor has answered for the first time. */
  readonly connected: Promise<void>;
  readonly #mapper = new EventMapper();
  readonly #relay = new EventRelay();
  readonly #expected = new ExpectedEvents();

  constructor(channel: Channel) {
    this.channel = channel;
    this.connected = new Promise((resolve) => {
      channel.onEvent((event) => {
        if (event.type === 'connected') resolve();
        this.#onEvent(event);
      });
    });
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#relay.listen(listener);
  }

  /** Run state in QEMU's words, for example `running`, `paused`, `guest-panicked`, `prelaunch`. */
  async status(deadline: Deadline, maxMs?: number): Promise<string> {
    const answer = STATUS.safeParse(await this.request('query-status', undefined, deadline, maxMs));
    if (answer.success) return plainText(answer.data.status, 64);
    throw new VmpulseError(
      'ERR_VMPULSE_CHANNEL',
      'query-status was answered without a status: this is no QEMU monitor',
    );
  }

  /** A monitor that has never answered yet gets the time to connect; one that was lost fails at once. */
  async request(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    deadline: Deadline,
    maxMs?: number,
  ): Promise<unknown> {
    const part = deadline.part(maxMs ?? deadline.remainingMs());
    if (!this.channel.connected) await this.#firstConnection(part);
    return this.channel.request(command, args, part.step());
  }

  async #firstConnection(deadline: Deadline): Promise<void> {
    try {
      await deadline.race(this.connected);
    } catch (error) {
      if (!isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) throw error;
      const text = 'the monitor does not greet: its QEMU hangs, or another client holds it';
      throw new VmpulseError('ERR_VMPULSE_CHANNEL', text, { cause: error });
    }
  }

  /** To be called before the command that causes the event, and cancelled in any case. */
  expect(name: string): ExpectedEvent {
    return this.#expected.expect(name);
  }

  #onEvent(event: ChannelEvent): void {
    if (event.type === 'event') this.#expected.settle(event.name, event.data);
    this.#relay.tell(this.#mapper.map(event), event.atMs);
  }
}
