import type { Admission } from './admission.js';
import type { MonitorChannel } from './channel/monitor-channel.js';
import { RequestRun } from './channel/request-run.js';
import type { Check, Talk } from './check.js';
import type { Endpoint } from './check-schema.js';
import { HttpRun } from './http/http-run.js';
import type { LoopWatch } from './loop-watch.js';
import { Probe } from './probe.js';
import { ScriptRun } from './script/script-run.js';
import type { Stats } from './stats.js';
import type { Stream } from './stream/stream.js';
import { TcpRun } from './tcp-run.js';
import type { Timers } from './timers.js';
import { outcomeOf, type Verdict } from './verdict.js';

/** What a probe in flight waits for. */
export interface Machine {
  /** The deadline passed: gives its verdict. */
  timeOut(): void;
  /** Ends it without a verdict. */
  stop(): void;
}

/** One probe to be run. */
export interface Order {
  readonly check: Check;
  readonly timeoutMs: number;
  readonly debug: boolean;
  /** Before all others, because someone waits for it. */
  readonly first: boolean;
  /** Monotonic; when it should have started, for the lateness. Undefined: now. */
  readonly scheduledMs?: number;
  /** The connection that a target keeps between its probes. */
  readonly keeper?: StreamKeeper;
  readonly ended: (verdict: Verdict, durationMs: number) => void;
}

/** Where a connection is kept between two probes. */
export interface StreamKeeper {
  take(): Stream | undefined;
  put(stream: Stream): void;
}

export interface RunnerParts {
  readonly timers: Timers;
  readonly admission: Admission;
  readonly stats: Stats;
  readonly loop: LoopWatch;
  /** Results handled later than this after their deadline are inconclusive, ms. */
  readonly lateMs: number;
  readonly channel: (handle: number) => MonitorChannel | undefined;
}

/** Runs probes, each within its deadline, in the order of admission. */
export class Runner {
  readonly parts: RunnerParts;
  readonly #running = new Set<Probe>();

  constructor(parts: RunnerParts) {
    this.parts = parts;
  }

  /** Probes that have started. */
  get inFlight(): number {
    return this.#running.size;
  }

  /** Queues a probe. External ones start at once: they wait for whoever reports. */
  submit(order: Order): Probe {
    const probe = new Probe(this, order);
    if (order.check.kind === 'external') {
      probe.start();
      return probe;
    }
    const to = destination(order.check);
    this.parts.admission.request(
      {
        destination: to,
        start: () => {
          if (!probe.start(() => this.parts.admission.release(to))) this.parts.admission.release(to);
        },
      },
      order.first,
    );
    return probe;
  }

  /** Ends all without verdicts. */
  stopAll(): void {
    for (const probe of [...this.#running]) probe.cancel();
  }

  /** Called by a probe that starts or ends. */
  mark(probe: Probe, isRunning: boolean): void {
    if (isRunning) this.#running.add(probe);
    else this.#running.delete(probe);
    this.parts.loop.watch(this.#running.size > 0);
  }

  /** Begins what a check needs; a verdict if it is there at once. `ended` is never called before this returns. */
  begin(order: Order, ended: (verdict: Verdict) => void): Machine | Verdict {
    const { check } = order;
    const say = (outcome: Verdict['outcome']): void => ended({ outcome });
    switch (check.kind) {
      case 'tcpSocket':
      case 'httpGet':
      case 'tcpExchange':
      case 'vsock':
        return beginTalk(check.endpoint, check.talk, order, ended);
      case 'tcpHalfOpen':
      case 'icmp':
      case 'arp':
      case 'ndp':
        return {
          outcome: outcomeOf('prober-resources'),
          message: 'the portable engine has no raw sockets; build the native one: npm run build:engine',
        };
      case 'guestAgentPing':
      case 'vmState': {
        const channel = this.parts.channel(check.channel);
        return channel === undefined
          ? { outcome: outcomeOf('cancelled') }
          : new RequestRun(channel, check.kind, say);
      }
      case 'vmmProcess':
        return { outcome: check.process.look() };
      case 'external':
        // Whoever should have reported is part of us.
        return { timeOut: () => say(outcomeOf('prober-late')), stop: () => {} };
    }
  }
}

function beginTalk(
  endpoint: Endpoint,
  talk: Talk,
  { debug, keeper }: Order,
  ended: (verdict: Verdict) => void,
): Machine {
  if (talk.says === 'nothing') return new TcpRun(endpoint, talk.close, ended);
  if (talk.says === 'script') return new ScriptRun({ endpoint, debug, ended, ...talk });
  const kept = keeper?.take();
  return new HttpRun({
    plan: talk.plan,
    hop: talk.hop,
    endpoint,
    debug,
    ...(kept === undefined ? {} : { kept }),
    ended: (verdict, stream) => {
      if (stream !== undefined) keeper?.put(stream);
      ended(verdict);
    },
  });
}

/** What bounds the probes in flight to one place; undefined: nothing that could be overwhelmed. */
function destination(check: Check): string | undefined {
  if (!('endpoint' in check)) return undefined;
  const { endpoint } = check;
  if ('ip' in endpoint) return endpoint.ip;
  return 'unix' in endpoint ? endpoint.unix : endpoint.hybrid;
}
