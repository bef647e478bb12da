import { z } from 'zod';
import { VmpulseError } from '../../../model/errors.js';
import type { Completion } from '../../backend.js';
import type { ChannelOptions } from '../../probe-engine.js';
import { argumentError, checkMs, firstIssue } from '../argument.js';
import { unixPath, vsockNumber } from '../check-schema.js';
import { monoMs } from '../clock.js';
import type { Outbox } from '../outbox.js';
import type { Timer, Timers } from '../timers.js';
import { Backlog } from './backlog.js';
import { MonitorChannel, type Reply } from './monitor-channel.js';
import { encodeRequest } from './request.js';

const DEFAULT_RECONNECT_MS = 100;
const DEFAULT_GREETING_TIMEOUT_MS = 2000;
const NO_REQUESTS = 'a channel of events takes no requests; send them on the channel of the API';
const optionsSchema = z.strictObject({
  protocol: z.enum(['qmp', 'qga', 'cloud-hypervisor', 'firecracker', 'cloud-hypervisor-events']),
  path: unixPath,
  vsockPort: vsockNumber('vsock port').exactOptional(),
  reconnectMs: z.number().exactOptional(),
  greetingTimeoutMs: z.number().exactOptional(),
});

interface Call {
  readonly channel: MonitorChannel;
  readonly id: number;
  readonly timer: Timer;
}

/** The open channels of an engine and the commands that the host program sends on them. */
export class Channels {
  readonly #timers: Timers;
  readonly #outbox: Outbox;
  readonly #backlog = new Backlog();
  readonly #channels = new Map<number, MonitorChannel>();
  readonly #calls = new Map<number, Call>();
  #lastHandle = 0;

  constructor(timers: Timers, outbox: Outbox) {
    this.#timers = timers;
    this.#outbox = outbox;
  }

  get(handle: number): MonitorChannel | undefined {
    return this.#channels.get(handle);
  }

  /** Throws ERR_VMPULSE_ARGUMENT when no channel has the handle. */
  expect(handle: number): void {
    if (this.#channels.has(handle)) return;
    throw argumentError(`no channel has the handle ${handle}; it was removed, or is of another engine`);
  }

  open(options: ChannelOptions): number {
    const parsed = optionsSchema.safeParse(options);
    if (!parsed.success) throw argumentError(firstIssue(parsed.error));
    const { protocol, path, vsockPort, reconnectMs, greetingTimeoutMs } = parsed.data;
    if (vsockPort !== undefined && protocol !== 'qga')
      throw argumentError('vsockPort is for agents only; leave it out');
    const handle = ++this.#lastHandle;
    const channel = new MonitorChannel({
      protocol,
      path,
      vsockPort,
      reconnectMs: checkMs('reconnectMs', reconnectMs ?? DEFAULT_RECONNECT_MS, 1),
      greetingTimeoutMs: checkMs('greetingTimeoutMs', greetingTimeoutMs ?? DEFAULT_GREETING_TIMEOUT_MS, 1),
      timers: this.#timers,
      backlog: this.#backlog,
      tell: (event, bytes) => this.#outbox.channelEvent(handle, event, bytes),
    });
    this.#channels.set(handle, channel);
    return handle;
  }

  /** Idempotent. */
  close(handle: number): void {
    const channel = this.#channels.get(handle);
    this.#channels.delete(handle);
    channel?.close();
    this.#outbox.forgetChannel(handle);
  }

  closeAll(): void {
    for (const call of this.#calls.values()) this.#timers.cancel(call.timer);
    this.#calls.clear();
    for (const handle of [...this.#channels.keys()]) this.close(handle);
  }

  /** Sends a command; its completion carries `call`. `args`: the text of a JSON object. */
  request(call: number, handle: number, command: string, args: string | undefined, deadlineMs: number): void {
    checkMs('deadlineMs', deadlineMs, 1);
    const channel = this.#channels.get(handle);
    if (channel === undefined) throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the channel is closed');
    if (channel.protocol === 'cloud-hypervisor-events') {
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', NO_REQUESTS);
    }
    const request = encodeRequest(channel.protocol, command, args);
    if (request === undefined) {
      throw argumentError(
        'not a valid command: a name, or METHOD /path for an API; an object of arguments; at most 1 MiB',
      );
    }
    const timer = this.#timers.arm(monoMs() + deadlineMs, () => this.#onDeadline(call));
    const id = channel.request(request, (reply) => {
      this.#timers.cancel(timer);
      if (this.#calls.delete(call)) this.#outbox.complete(completion(call, reply));
    });
    this.#calls.set(call, { channel, id, timer });
  }

  /** Nobody waits for the answer any more. Idempotent. */
  cancel(call: number): void {
    const found = this.#calls.get(call);
    if (found === undefined) return;
    this.#calls.delete(call);
    this.#timers.cancel(found.timer);
    found.channel.forget(found.id);
  }

  #onDeadline(call: number): void {
    const found = this.#calls.get(call);
    if (found === undefined) return;
    this.#calls.delete(call);
    const reason = found.channel.forget(found.id);
    const message = `no answer before the deadline (${reason})`;
    this.#outbox.complete({ call, error: new VmpulseError('ERR_VMPULSE_TIMEOUT', message) });
  }
}

function completion(call: number, reply: Reply): Completion {
  switch (reply.type) {
    case 'value':
      return { call, value: reply.value };
    case 'refused': {
      const message = `${reply.class}: ${reply.description}`;
      const details = { class: reply.class };
      return { call, error: new VmpulseError('ERR_VMPULSE_COMMAND', message, { details }) };
    }
    case 'lost':
      return {
        call,
        error: new VmpulseError('ERR_VMPULSE_CHANNEL', `${reply.reason}: ${reply.detail}`),
      };
    case 'full': {
      const message = 'too many requests wait on this channel; wait for some to end';
      return { call, error: new VmpulseError('ERR_VMPULSE_CHANNEL', message) };
    }
    case 'unsupported':
      return { call, error: new VmpulseError('ERR_VMPULSE_UNSUPPORTED', NO_REQUESTS) };
    case 'closed':
      return { call, error: new VmpulseError('ERR_VMPULSE_CLOSED', 'the channel was closed') };
  }
}
