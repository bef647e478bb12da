import type { Channel } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError } from '../../model/errors.js';

/** An event of the VMM that somebody waits for. */
export interface ExpectedEvent {
  /** Resolves with the first event of that kind after it was expected. */
  readonly seen: Promise<unknown>;
  cancel(): void;
}

/** Tells the agent of the guest to reboot it. Resolves once the VMM says that the guest was reset: `reset`. */
export async function rebootByAgent(
  reset: ExpectedEvent,
  agent: Pick<Channel, 'request'>,
  deadline: Deadline,
): Promise<void> {
  const done = new AbortController();
  const { deadlineMs, signal } = deadline.step();
  const signals = signal === undefined ? [done.signal] : [done.signal, signal];
  // Success may have no reply: the request then ends with the connection or by `done`. Only a refusal counts.
  const refused = new Promise<never>((_, reject) => {
    agent
      .request('guest-shutdown', { mode: 'reboot' }, { deadlineMs, signal: AbortSignal.any(signals) })
      .catch((error: unknown) => {
        if (isVmpulseError(error, 'ERR_VMPULSE_COMMAND')) reject(error);
      });
  });
  try {
    await deadline.race(Promise.race([reset.seen, refused]));
  } finally {
    reset.cancel();
    done.abort();
  }
}
