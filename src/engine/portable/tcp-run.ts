import type { Outcome } from '../../model/outcome.js';
import type { Endpoint } from './check.js';
import { Dial, discard } from './dial.js';
import { outcomeOf } from './verdict.js';

/** One TCP probe: ok once connected. Closes by a reset, or orderly if the check says `fin`. */
export class TcpRun {
  readonly #dial: Dial;
  readonly #ended: (outcome: Outcome) => void;

  constructor(endpoint: Endpoint, close: 'rst' | 'fin', ended: (outcome: Outcome) => void) {
    this.#ended = ended;
    this.#dial = new Dial(endpoint, {
      connected: (socket) => {
        if (close === 'rst') discard(socket);
        else socket.on('error', () => {}).destroy();
        ended({ result: 'ok' });
      },
      failed: (reason) => ended(outcomeOf(reason)),
    });
  }

  timeOut(): void {
    this.#dial.stop();
    this.#ended(outcomeOf('connect-timeout'));
  }

  stop(): void {
    this.#dial.stop();
  }
}
