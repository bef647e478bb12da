import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { GuestAccess } from '../model/guest.js';
import type { Outcome } from '../model/outcome.js';
import { plainText } from '../model/plain-text.js';
import type { CallOptions } from '../model/ports.js';
import type { ProbeTiming } from '../model/probe.js';
import type { VcpuReading } from '../model/vcpu.js';
import type { VmSpec } from '../model/vm.js';
import type { ResolveHost } from './resolve-host.js';

/** What an external probe found. */
export interface Finding {
  readonly outcome: Outcome;
  /** Why, for a person; bounded and safe to show. */
  readonly message?: string;
  /** Things worth telling that do not change the outcome. */
  readonly warnings?: readonly string[];
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
  /** The exchange, only when asked for. */
  readonly debug?: string;
}

/** A sign of life that a guest has sent. */
export interface Beat {
  readonly atMs: number;
  readonly status: 'ok' | 'warning' | 'critical';
  /** Safe to show; may be empty. */
  readonly message: string;
}

/** A time that `signal` ends as well, ms from now. */
export interface LookOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** A probe that runs outside the engine, which only says when it is due and counts what comes of it. */
export interface ExternalProbe {
  /**
   * One look. A throw means that it could not be made, which is inconclusive. Whatever it has begun ends soon after
   * `signal`; nobody waits for what it says then.
   */
  probe(options: LookOptions): Promise<Finding>;
  /** What a look that does not end in time amounts to; default failed (response-timeout). */
  readonly late?: Outcome;
  /** The guest begins a new boot: what it said before does not count any more. */
  newInstance?(): void;
  /** The guest has sent a sign of life. */
  heartbeat?(beat: Beat): void;
}

/** What external probes need of the host; the runtime builds it. */
export interface ProbeHost {
  /** Runs the default export of a built worker module on a thread of the pool; the result is unchecked. */
  readonly runInPool: (worker: URL, args: unknown, options: CallOptions) => Promise<unknown>;
  /** The same on a thread that many tasks share: for what mostly waits and ends by itself in time. */
  readonly runTogether: ProbeHost['runInPool'];
  readonly resolveHost: ResolveHost;
}

/** What an external probe is opened with. */
export interface ExternalSetting extends ProbeHost {
  /** The VM that it is a probe of; unset for a probe by hand. */
  readonly vm?: Pick<VmSpec, 'id' | 'namespace' | 'name' | 'uuid' | 'address'> &
    Partial<Pick<VmSpec, 'hypervisor'>>;
  /** Name of the probe within the VM. */
  readonly probe: string;
  readonly timing: Pick<ProbeTiming, 'periodMs' | 'timeoutMs'>;
  readonly clock: Clock;
  /** Log of the VM's serial console, where that is known. */
  readonly consoleLog?: string | undefined;
  /** Looks at the vCPUs of the VM; unset: its driver cannot. */
  readonly vcpus?: ((options: CallOptions) => Promise<VcpuReading | undefined>) | undefined;
  /** Asks whoever manages the VM for its run state; unset: the engine asks the VM's monitor over its channel. */
  readonly runState?: ((options: CallOptions) => Promise<string>) | undefined;
  /** The VM's guest, where it can be asked. */
  readonly guest?: GuestAccess | undefined;
  /** A person wants to see the exchange, where there is one. */
  readonly debug?: boolean;
}

const TIMED_OUT: Outcome = { result: 'failed', reason: 'response-timeout' };
const COULD_NOT: Outcome = { result: 'inconclusive', reason: 'prober-resources' };
const CANCELLED: Outcome = { result: 'inconclusive', reason: 'cancelled' };

export interface LookOnce {
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Withdraws the look, which is then inconclusive. */
  readonly signal?: AbortSignal;
}

/** Lets a probe look once. Never rejects; ends at the time-out whether the probe heeds its signal or not. */
export async function lookOnce(probe: ExternalProbe, options: LookOnce): Promise<Finding> {
  const { timeoutMs, clock, signal } = options;
  const end = new AbortController();
  const ended = new Promise<Finding>((resolve) => {
    end.signal.addEventListener('abort', () => resolve(endedBy(probe, signal)), { once: true });
  });
  const cancel = clock.at(clock.now() + timeoutMs, () => end.abort());
  const withdraw = () => end.abort();
  signal?.addEventListener('abort', withdraw, { once: true });
  if (signal?.aborted) withdraw();
  try {
    return await Promise.race([probe.probe({ deadlineMs: timeoutMs, signal: end.signal }), ended]);
  } catch (error) {
    if (end.signal.aborted) return endedBy(probe, signal);
    return { outcome: COULD_NOT, message: plainText(errorMessage(error)) };
  } finally {
    cancel();
    signal?.removeEventListener('abort', withdraw);
  }
}

function endedBy({ late = TIMED_OUT }: ExternalProbe, signal: AbortSignal | undefined): Finding {
  return { outcome: signal?.aborted ? CANCELLED : late };
}
