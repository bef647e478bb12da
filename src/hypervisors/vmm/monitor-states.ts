import type { ChannelEvent } from '../../engine/probe-engine.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import type { Reason } from '../../model/reasons.js';

const MAX_WHY_CHARS = 200;

type MonitorState = Extract<VmmEvent, { type: 'monitor' }>['state'];

/** What becomes of a management socket, told once a change. */
export class MonitorStates {
  #state: MonitorState | undefined;

  map(event: Extract<ChannelEvent, { type: 'connected' | 'disconnected' }>): VmmEvent | undefined {
    const state = event.type === 'connected' ? 'connected' : stateOf(event.reason);
    // A channel that tries to connect again and again reports each attempt.
    if (state === this.#state) return undefined;
    this.#state = state;
    if (event.type === 'connected') return { type: 'monitor', state };
    return { type: 'monitor', state, why: plainText(`${event.reason}: ${event.detail}`, MAX_WHY_CHARS) };
  }
}

function stateOf(reason: Reason): MonitorState {
  if (reason === 'channel-busy') return 'busy';
  return reason === 'protocol-error' ? 'foreign' : 'lost';
}
