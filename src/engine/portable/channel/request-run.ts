import type { Outcome } from '../../../model/outcome.js';
import type { Reason } from '../../../model/reasons.js';
import { outcomeOf } from '../verdict.js';
import type { MonitorChannel, Reply } from './monitor-channel.js';
import { isRest } from './request.js';
import { restStateOutcome, runStateOutcome } from './run-state.js';

const STATE_COMMANDS: Readonly<Record<MonitorChannel['protocol'], string>> = {
  qmp: 'query-status',
  qga: 'query-status',
  'cloud-hypervisor': 'GET /api/v1/vm.info',
  firecracker: 'GET /',
  'cloud-hypervisor-events': 'query-status',
};

/** One probe that is a request on a channel: it runs until its answer or its deadline. */
export class RequestRun {
  readonly #channel: MonitorChannel;
  readonly #id: number;
  readonly #ended: (outcome: Outcome) => void;
  #over = false;

  constructor(
    channel: MonitorChannel,
    kind: 'vmState' | 'guestAgentPing',
    ended: (outcome: Outcome) => void,
  ) {
    this.#channel = channel;
    this.#ended = ended;
    const execute = kind === 'vmState' ? STATE_COMMANDS[channel.protocol] : 'guest-ping';
    this.#id = channel.request({ execute }, (reply) => this.#end(judge(channel, reply)));
  }

  timeOut(): void {
    const reason = this.#channel.forget(this.#id);
    // A monitor or API that was there and does not answer.
    const isSilentMonitor = this.#channel.protocol !== 'qga' && reason === 'response-timeout';
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
      if (isRest(protocol)) return restStateOutcome(reply.value);
      return protocol === 'qmp' ? runStateOutcome(reply.value) : { result: 'ok' };
    case 'refused':
      // Cloud Hypervisor runs without a VM until one is created.
      if (protocol === 'cloud-hypervisor' && reply.class === 'http-404') return outcomeOf('vm-not-running');
      return outcomeOf(protocol === 'qga' ? 'agent-error' : 'api-error');
    case 'unsupported':
      return outcomeOf('api-error');
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
  if (protocol === 'qga') return outcomeOf(isGarbled ? 'agent-error' : 'agent-not-connected');
  return outcomeOf(isGarbled ? 'api-error' : 'api-unreachable');
}
