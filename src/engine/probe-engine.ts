import type { Outcome, ProbeResult, ProbeState } from '../model/outcome.js';
import type {
  ExchangeScript,
  GrpcCheck,
  HttpGetOptions,
  NeighbourOptions,
  PingOptions,
  ProbeTiming,
  StreamPlace,
} from '../model/probe.js';
import type { Reason } from '../model/reasons.js';

/** Where a stream probe connects. Names are resolved by the caller. */
export type Endpoint =
  /** An IP literal. */
  | { readonly ip: string; readonly port: number }
  | { readonly unix: string }
  /** AF_VSOCK. */
  | { readonly cid: number; readonly port: number }
  /** Path of the Unix socket by which a hypervisor gives access to vsock ports of its guest. */
  | { readonly hybrid: string; readonly port: number };

/** What the engine runs, lowered from a ProbeCheck. */
export type TargetCheck =
  | { readonly kind: 'tcpSocket'; readonly endpoint: Endpoint; readonly close: 'rst' | 'fin' }
  /** A SYN from a raw socket; needs CAP_NET_RAW and the native engine, else inconclusive(prober-resources). */
  | { readonly kind: 'tcpHalfOpen'; readonly endpoint: { readonly ip: string; readonly port: number } }
  /** Echos; raw as well. */
  | { readonly kind: 'icmp'; readonly ip: string; readonly ping: PingOptions }
  /** Who has the address (arp: IPv4, ndp: IPv6); raw as well. */
  | { readonly kind: 'arp' | 'ndp'; readonly ip: string; readonly neighbour: NeighbourOptions }
  | {
      readonly kind: 'httpGet';
      readonly endpoint: Endpoint;
      readonly http: HttpGetOptions;
      readonly caPem?: string;
    }
  /** Connects where nothing is to be said. */
  | {
      readonly kind: 'vsock';
      readonly endpoint: Endpoint;
      readonly http?: HttpGetOptions;
      readonly exchange?: ExchangeScript;
      readonly grpc?: GrpcCheck;
      readonly caPem?: string;
    }
  | {
      readonly kind: 'tcpExchange';
      readonly endpoint: Endpoint;
      readonly exchange: ExchangeScript & StreamPlace;
      readonly caPem?: string;
    }
  | {
      readonly kind: 'grpc';
      readonly endpoint: Endpoint;
      readonly grpc: GrpcCheck & StreamPlace;
      readonly caPem?: string;
    }
  /** guest-ping on an agent channel. */
  | { readonly kind: 'guestAgentPing'; readonly channel: number }
  /** The run state, asked on the channel of a monitor or API. */
  | { readonly kind: 'vmState'; readonly channel: number }
  /** The engine duplicates the pidfd; `pid` is read in /proc for the states T and Z only while the pidfd lives. */
  | { readonly kind: 'vmmProcess'; readonly pidfd: number; readonly pid: number }
  /** Where there is no pidfd: PID and start time name the process; it has ended when another has the PID. */
  | { readonly kind: 'vmmProcess'; readonly pid: number; readonly startTimeTicks: number }
  /** Runs elsewhere: the engine schedules and counts, emits `due`, and takes `report`. */
  | { readonly kind: 'external' };

export interface Target {
  /** Stable name, for example `default/web-1/readiness`: decides the phase and keys the snapshot. */
  readonly id: string;
  readonly check: TargetCheck;
  readonly timing: ProbeTiming;
  readonly startState: ProbeState;
}

/** A target's thresholds changed state. Delivered at least once for the latest state of a target. */
export interface Transition {
  readonly type: 'transition';
  readonly handle: number;
  /** Counts instances; a transition of an older epoch is stale. */
  readonly epoch: number;
  readonly from: ProbeState;
  readonly to: ProbeState;
  /** Why, for `failed` and `blind`. */
  readonly reason?: Reason;
  /** Wall-clock ms of the verdict. */
  readonly atMs: number;
  /** Wall-clock ms of the first outcome of the streak that led here. */
  readonly streakStartMs: number;
  /** Outcomes in that streak. */
  readonly count: number;
  /** Wall-clock ms of the last ok in this instance, or 0. */
  readonly lastOkMs: number;
  /** Duration of the deciding probe. */
  readonly durationMs: number;
  /** Transitions of this target that were overwritten before they could be delivered. */
  readonly coalesced: number;
}

/** An `external` target must be probed now; answer with `report(handle, epoch, …)` before `deadlineMs` (wall clock). */
export interface Due {
  readonly type: 'due';
  readonly handle: number;
  readonly epoch: number;
  readonly deadlineMs: number;
}

export type EngineEvent = Transition | Due;

export interface TargetStatus {
  readonly epoch: number;
  readonly state: ProbeState;
  readonly suspended: boolean;
  readonly reason?: Reason;
  readonly consecutiveOk: number;
  readonly consecutiveFailed: number;
  readonly consecutiveInconclusive: number;
  readonly lastOutcome?: Outcome;
  readonly lastAtMs: number;
  readonly lastDurationMs: number;
  readonly lastOkMs: number;
}

export interface EngineStats {
  readonly targets: number;
  readonly inFlight: number;
  readonly probesStarted: number;
  /** Totals by kind and reason (`ok` for none), for metrics. */
  readonly outcomes: readonly {
    readonly kind: string;
    readonly reason: Reason | 'ok';
    readonly count: number;
  }[];
  /** Cumulative duration histogram by kind: upper bounds in seconds and counts, last bucket +Inf. */
  readonly durations: readonly {
    readonly kind: string;
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly sumSeconds: number;
  }[];
  /** How late probes start, ms: p50, p99 and maximum since the last call of stats(). */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly coalesced: number;
  /** Panics of reactors: each ends what ran there as inconclusive (`prober-fault`), and the reactor begins anew. */
  readonly reactorPanics: number;
  /** Reactors that panicked too often and stay down: their targets are blind, calls to them ERR_VMPULSE_INTERNAL. */
  readonly reactorsDown: number;
  readonly backend: 'native' | 'portable';
  /** `io_uring`: TCP connects are made by it, all else by epoll. `node`: the portable engine. */
  readonly reactor: 'io_uring' | 'epoll' | 'node';
}

/** Message of a channel that is not the answer to a request. */
export type ChannelEvent =
  | { readonly type: 'connected'; readonly atMs: number }
  /** `reason`: connection-closed, connection-refused, protocol-error, channel-busy, … */
  | { readonly type: 'disconnected'; readonly reason: Reason; readonly detail: string; readonly atMs: number }
  /**
   * An asynchronous event of the peer, for example QMP `GUEST_PANICKED`, or `guest.panic` (source and event) of
   * Cloud Hypervisor. `data` is untrusted JSON.
   */
  | { readonly type: 'event'; readonly name: string; readonly data: unknown; readonly atMs: number }
  /** So many events were lost: nobody took them in time, or they came damaged. Ask the peer for its state. */
  | { readonly type: 'dropped'; readonly count: number; readonly atMs: number };

export interface ChannelOptions {
  /**
   * `cloud-hypervisor`, `firecracker`: their REST APIs. `cloud-hypervisor-events`: what Cloud Hypervisor writes to its
   * `--event-monitor`; such a channel takes no requests.
   */
  readonly protocol: 'qmp' | 'qga' | 'cloud-hypervisor' | 'firecracker' | 'cloud-hypervisor-events';
  /** Unix socket of the monitor, agent or API; the file or fifo of the events. */
  readonly path: string;
  /**
   * Of an agent (`qga`) that listens on this vsock port of its guest: `path` is the socket by which Cloud Hypervisor or
   * Firecracker connects the host to such ports. A port that leads nowhere is tried anew; nobody behind it is
   * `agent-not-connected`.
   */
  readonly vsockPort?: number;
  /** First reconnection delay; doubles up to sixteenfold. Default 100 ms. */
  readonly reconnectMs?: number;
  /**
   * A monitor that accepts but sends no greeting within this is `channel-busy`, an agent that does not answer the sync
   * is `agent-not-connected` (`channel-busy` when another client is served). An API that still owes an answer this long
   * after it was given up is asked over a new connection. Default 2000 ms.
   */
  readonly greetingTimeoutMs?: number;
}

/**
 * The one owner of a monitor, agent or API socket. Probes and commands queue on it. It reconnects by itself until closed.
 */
export interface Channel {
  readonly handle: number;
  readonly connected: boolean;
  /**
   * Sends one command and resolves with its `return` value (untrusted JSON). To an API a command is `METHOD /path`, for
   * example `PUT /api/v1/vm.boot`, `args` its JSON body, and the value `{ status, body }` for a status of 200 to 299,
   * `body` null where there is none; any other status is an error of the class `http-<status>`. It waits for its turn while the peer is
   * being greeted or asked; `deadlineMs` is a duration from now and covers the wait.
   * An API that ends before its answer (`connection-closed`) may have done what was asked.
   * Errors: ERR_VMPULSE_TIMEOUT at the deadline, ERR_VMPULSE_CHANNEL when not connected, lost or held by another client,
   * ERR_VMPULSE_COMMAND with `details.class` when the peer answers with an error, ERR_VMPULSE_UNSUPPORTED on a channel of
   * events, ERR_VMPULSE_ABORTED.
   */
  request(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<unknown>;
  /** One listener; events that came before it was set are kept (the last 256) and delivered first. */
  onEvent(listener: (event: ChannelEvent) => void): void;
  /** Idempotent. Outstanding requests end with ERR_VMPULSE_CLOSED; targets on it turn inconclusive. */
  close(): void;
}

export interface EngineOptions {
  /** Probes in flight at once; default 4096. */
  readonly maxInFlight?: number;
  /** Probes in flight to one destination address at once; default 64. */
  readonly maxInFlightPerDestination?: number;
  /**
   * Raw packets (SYNs, echos, ARP and NDP) that may leave in a second, native only; default 250000: what one thread can
   * send, a sixth of what a 1 Gbit/s link takes of the smallest packets. Whoever is above it waits for its turn.
   */
  readonly maxPacketsPerSecond?: number;
  /** Wheel tick, ms; default 2. */
  readonly tickMs?: number;
  /** Results handled later than this after they were ready are inconclusive (`prober-late`), ms; default 250. */
  readonly lateMs?: number;
  /** Consecutive inconclusive outcomes after which a target turns `blind`; default 3. */
  readonly blindAfter?: number;
  /** Reactor threads, native only; default 1. */
  readonly threads?: number;
  /** `auto` (default): TCP connects by io_uring where the kernel allows it; `epoll`: never. Native only. */
  readonly reactor?: 'auto' | 'epoll';
}

/**
 * Schedules, runs and counts probes; only changes of state leave it.
 * Every method after close() throws ERR_VMPULSE_CLOSED. Native and portable engines behave alike.
 */
export interface ProbeEngine {
  readonly backend: 'native' | 'portable';
  /** Registers targets; the result has their handles in the same order. Nothing is kept of the objects given. */
  add(targets: readonly Target[]): Uint32Array;
  /** Live change of timing (thresholds count on with the streaks they have). */
  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void;
  remove(handles: ArrayLike<number>): void;
  /** No probe starts; running ones end as inconclusive(suspended). */
  suspend(handles: ArrayLike<number>): void;
  resume(handles: ArrayLike<number>): void;
  /** A new boot of the VM: epoch + 1, start state, counters cleared, initial delay counts from now. */
  newInstance(handles: ArrayLike<number>): void;
  /**
   * An extra probe outside the schedule; it never moves thresholds. `timeoutMs`: default the target's.
   * ERR_VMPULSE_UNSUPPORTED for an `external` target.
   */
  probeNow(
    handle: number,
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  ): Promise<ProbeResult>;
  /** Probes something that is not registered. */
  probeOnce(
    check: TargetCheck,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly debug?: boolean },
  ): Promise<ProbeResult>;
  /**
   * Answers a `due`. False: the epoch is over or the target is gone, and nothing happened. A report after the deadline
   * of its due is too late as well: the outcome was inconclusive(prober-late) by then.
   */
  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean;
  status(handle: number): TargetStatus;
  stats(): EngineStats;
  /**
   * Thresholds of all targets, to be given to restore() after a restart. Opaque, versioned. It has all that was told before
   * the call, and may have what comes meanwhile. Rejects with ERR_VMPULSE_TIMEOUT when a reactor does not answer within 5 s.
   */
  snapshot(): Promise<Uint8Array>;
  /**
   * Applies to targets of the same id, whether registered already or later; a state that differs from the target's is
   * told as a transition. Throws ERR_VMPULSE_ARGUMENT if damaged.
   */
  restore(snapshot: Uint8Array): void;
  openChannel(options: ChannelOptions): Channel;
  /** Batches of events until close() or abort. One consumer. */
  transitions(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<readonly EngineEvent[]>;
  /** Keeps / does not keep the process alive; default ref while transitions() is being consumed. */
  ref(): void;
  unref(): void;
  /** Idempotent; ends within the deadline whatever is outstanding. Default 1000 ms. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
