import type { Reason } from '../../../model/reasons.js';
import type { Fault } from '../fault.js';
import { HybridDoor } from '../stream/hybrid-door.js';
import { QgaSession } from './qga-session.js';
import type { EncodedRequest, Session, SessionMessage } from './session.js';

/** A guest agent behind the door of a hybrid vsock socket: it knocks first, and the stream is the agent's once that opened. */
export class HybridAgentSession implements Session {
  readonly #agent: QgaSession;
  #knock: string;
  #door: HybridDoor | undefined = new HybridDoor();

  /** `port`: where the agent listens in its guest. `seed`: as of QgaSession. */
  constructor(port: number, seed: number) {
    this.#agent = new QgaSession(seed);
    this.#knock = HybridDoor.knock(port);
  }

  get isReady(): boolean {
    return this.#agent.isReady;
  }

  get timeoutReason(): Reason {
    return this.#agent.timeoutReason;
  }

  pull(): Buffer {
    const knock = this.#knock;
    this.#knock = '';
    // Alone in its write.
    if (knock !== '') return Buffer.from(knock);
    return this.#door === undefined ? this.#agent.pull() : Buffer.alloc(0);
  }

  send(id: number, request: EncodedRequest): void {
    this.#agent.send(id, request);
  }

  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined {
    const answer = this.#door === undefined ? { used: 0 } : this.#door.push(bytes);
    if (answer === undefined || 'reason' in answer) return answer;
    this.#door = undefined;
    return this.#agent.onBytes(bytes.subarray(answer.used), messages);
  }

  /** To whoever asks the agent, a port where nobody listens is an agent that is not there. */
  onEnd(): Fault | undefined {
    return this.#door && { ...this.#door.end(), reason: 'agent-not-connected' };
  }

  forget(id: number): void {
    this.#agent.forget(id);
  }
}
