import type { Outcome } from '../../../model/outcome.js';
import type { Reason } from '../../../model/reasons.js';
import { outcomeOf } from '../verdict.js';
import type { MonitorChannel, Reply } from './monitor-channel.js';
import { runStateOutcome } from './run-state.js';

const COMMANDS = { vmState: 'query-status', guestAgentPing: 'guest-ping' } as const;

/** One probe that is a request on a channel: it runs until its answer or its deadline. */
export class RequestRun {
  readonly #channel: MonitorChannel;
  readonly #id: number;
  readonly #ended: (outcome: Outcome) => void;
  #over = false;

  constructor(channel: MonitorChannel, kind: keyof typeof COMMANDS, ended: (outcome: Outcome) => void) {
    this.#channel = channel;
    this.#ended = ended;
    this.#id = channel.request({ execute: COMMANDS[kind] }, (reply) => this.#end(judge(channel, reply)));
  }

  timeOut(): void {
    const reason = this.#channel.forget(this.#id);
    // A monitor that was there and does not answer.
    const isSilentMonitor = this.#channel.protocol === 'qmp' && reason === 'response-timeout';
    this.#end(outcomeOf(isSilentMonitor ? 'api-unreachable' : reason));
  }

  stop(): void {
    this.#over = true;
    this.#channel.forget(this.#id);
  }

  #end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(outcome);
  }
}

/** What a reply means for a probe. */
function judge({ protocol }: MonitorChannel, reply: Reply): Outcome {
  switch (reply.type) {
    case 'value':
      return protocol === 'qmp' ? runStateOutcome(reply.value) : { result: 'ok' };
    case 'refused':
      return outcomeOf(protocol === 'qmp' ? 'api-error' : 'agent-error');
    case 'full':
      return outcomeOf('channel-busy');
    case 'closed':
      return outcomeOf('cancelled');
    case 'lost':
      return judgeLoss(protocol, reply.reason);
  }
}

function judgeLoss(protocol: MonitorChannel['protocol'], reason: Reason): Outcome {
  const outcome = outcomeOf(reason);
  if (outcome.result === 'inconclusive') return outcome;
  const isGarbled = reason === 'protocol-error' || reason === 'response-too-large';
  if (protocol === 'qmp') return outcomeOf(isGarbled ? 'api-error' : 'api-unreachable');
  return outcomeOf(isGarbled ? 'agent-error' : 'agent-not-connected');
}
