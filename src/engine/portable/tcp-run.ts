import type { Endpoint } from './check-schema.js';
import { Dial, discard } from './stream/dial.js';
import { type Verdict, verdictOf } from './verdict.js';

/** A probe that says nothing: ok once connected. Closes by a reset, or orderly if the check says `fin`. */
export class TcpRun {
  readonly #dial: Dial;

  constructor(endpoint: Endpoint, close: 'rst' | 'fin', ended: (verdict: Verdict) => void) {
    this.#dial = new Dial(endpoint, {
      connected: (socket) => {
        if (close === 'rst') discard(socket);
        else socket.on('error', () => {}).destroy();
        ended({ outcome: { result: 'ok' } });
      },
      failed: (reason, message) => ended(verdictOf(reason, message)),
    });
  }

  timeOut(): void {
    this.#dial.timeOut();
  }

  stop(): void {
    this.#dial.stop();
  }
}
