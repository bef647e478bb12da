import type { Channel, ChannelEvent } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError } from '../../model/errors.js';

const POLL_MS = 20;

type Body = Readonly<Record<string, unknown>> | undefined;

/** The REST API of one VMM: requests with deadlines. */
export class RestApi {
  readonly channel: Channel;
  #wasConnected = false;

  constructor(channel: Channel, onEvent: (event: ChannelEvent) => void) {
    this.channel = channel;
    channel.onEvent((event) => {
      if (event.type === 'connected') this.#wasConnected = true;
      onEvent(event);
    });
  }

  /**
   * The body of the answer. An API that was never reached yet gets the time to come; one that was lost fails at once with
   * ERR_VMPULSE_CHANNEL, and may have done what it was asked.
   */
  async ask(request: string, body: Body, deadline: Deadline): Promise<unknown> {
    for (;;) {
      try {
        const answer = await this.channel.request(request, body, deadline.step());
        return typeof answer === 'object' && answer !== null && 'body' in answer ? answer.body : null;
      } catch (error) {
        if (this.#wasConnected || !isVmpulseError(error, 'ERR_VMPULSE_CHANNEL')) throw error;
      }
      await deadline.sleep(POLL_MS);
    }
  }

  /** As `ask`, where the same may be done already, or was done though its answer is lost; `isDone` says so. */
  async reach(
    request: string,
    body: Body,
    isDone: () => Promise<boolean>,
    deadline: Deadline,
  ): Promise<void> {
    try {
      await this.ask(request, body, deadline);
    } catch (error) {
      const isOpen =
        isVmpulseError(error, 'ERR_VMPULSE_COMMAND') || isVmpulseError(error, 'ERR_VMPULSE_CHANNEL');
      if (!isOpen || !(await isTrueSoon(isDone, deadline))) throw error;
    }
  }
}

/** The next request opens the connection anew, which takes a moment. */
async function isTrueSoon(ask: () => Promise<boolean>, deadline: Deadline): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const answer = await ask().catch(lostAsUndefined);
    if (answer !== undefined) return answer;
    await deadline.sleep(POLL_MS * 2 ** Math.min(attempt, 4));
  }
  return false;
}

/** For questions that are asked again: an API that is not there at the moment. */
export function lostAsUndefined(error: unknown): undefined {
  if (!isVmpulseError(error, 'ERR_VMPULSE_CHANNEL')) throw error;
}
