import type { Outcome, ProbeResult } from '../model/outcome.js';
import { plainText } from '../model/plain-text.js';
import type { ProbeCheck, ProbeKind, ProbeRole, ProbeSpec, ProbeTiming } from '../model/probe.js';
import type { VmId } from '../model/vm.js';
import type { ProbeSummary } from '../policy/index.js';
import type { VmUnit } from './vm-unit.js';

/** A probe waits no longer for its answer here, whatever its own time-out is, ms. */
export const CHECK_NOW_MS = 60_000;

/** How a probe of a VM is set, and how it stands. */
export interface CheckView extends Pick<ProbeSummary, 'name' | 'role' | 'kind'> {
  /** One that is switched off has no state. */
  readonly enabled: boolean;
  /** What it asks, as far as that may be shown; what is not set is null. */
  readonly target: {
    readonly host: string | null;
    readonly port: number | null;
    readonly path: string | null;
  };
  readonly timing: ProbeTiming;
  readonly weight: number;
  readonly critical: boolean;
  readonly state: ProbeSummary['state'];
  readonly reason: ProbeSummary['reason'];
  readonly sinceMs: number;
}

/** What a probe said that was asked at once. */
export interface CheckResult extends Omit<ProbeResult, 'debug'> {
  readonly name: string;
  readonly role: ProbeRole;
  readonly kind: ProbeKind;
}

/** What persons ask of the probes of a VM. Each throws ERR_VMPULSE_VM_UNKNOWN. */
export interface CheckApi {
  /** Every probe of the VM, also those that are switched off. */
  list(vm: VmId): readonly CheckView[];
  /**
   * Asks every probe at once, outside its schedule; states, thresholds and recovery are not touched. A probe that cannot be
   * asked now, as the VM does not run, is inconclusive (`vm-not-running` in `details.message`).
   */
  now(vm: VmId): Promise<readonly CheckResult[]>;
}

const NOT_ASKED: Outcome = { result: 'inconclusive', reason: 'suspended' };

export class Checks implements CheckApi {
  readonly #unitOf: (vm: VmId) => VmUnit;
  readonly #statesOf: (vm: VmId) => readonly ProbeSummary[];
  /** Who asks meanwhile gets the same answer. */
  readonly #running = new Map<VmId, Promise<readonly CheckResult[]>>();

  /** Both throw ERR_VMPULSE_VM_UNKNOWN. */
  constructor(unitOf: (vm: VmId) => VmUnit, statesOf: (vm: VmId) => readonly ProbeSummary[]) {
    this.#unitOf = unitOf;
    this.#statesOf = statesOf;
  }

  list(vm: VmId): readonly CheckView[] {
    const states = this.#statesOf(vm);
    return this.#unitOf(vm).spec.probes.map(({ name, role, check, timing, enabled, weight, critical }) => {
      const { state = 'unknown', reason = null, sinceMs = 0 } = states.find((one) => one.name === name) ?? {};
      const set = {
        name,
        role,
        kind: check.kind,
        enabled,
        target: targetOf(check),
        timing,
        weight,
        critical,
      };
      return { ...set, state, reason, sinceMs };
    });
  }

  now(vm: VmId): Promise<readonly CheckResult[]> {
    const running = this.#running.get(vm);
    if (running !== undefined) return running;
    const unit = this.#unitOf(vm);
    const begun = Promise.all(
      unit.spec.probes.filter(({ enabled }) => enabled).map((probe) => askNow(unit, probe)),
    ).finally(() => this.#running.delete(vm));
    this.#running.set(vm, begun);
    return begun;
  }
}

async function askNow(unit: VmUnit, { name, role, check, timing }: ProbeSpec): Promise<CheckResult> {
  const timeoutMs = Math.min(timing.timeoutMs, CHECK_NOW_MS);
  const target = unit.probes.get(name);
  const result = await target?.ask(timeoutMs).catch(() => undefined);
  const message =
    unit.session === undefined ? 'the VM does not run' : 'the probe is not registered; see vmpulse status';
  const { outcome, durationMs, warnings, details } = result ?? {
    outcome: NOT_ASKED,
    durationMs: 0,
    warnings: [],
    details: { message },
  };
  return { name, role, kind: check.kind, outcome, durationMs, warnings, details };
}

interface Place {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
}

/** Where a check goes, without what may be secret: no headers, bodies, commands, keys or query. */
function targetOf(check: ProbeCheck): CheckView['target'] {
  const { host, port, path } = placeOf(check);
  const text = (value: string | undefined) => (value === undefined ? null : plainText(value, 1_000));
  return { host: text(host), port: port ?? null, path: text(path?.split('?')[0]) };
}

function placeOf(check: ProbeCheck): Place {
  switch (check.kind) {
    case 'tcpSocket':
    case 'tcpHalfOpen':
    case 'icmp':
    case 'arp':
    case 'ndp':
      return check;
    case 'httpGet':
      return check.http;
    case 'grpc':
      return check.grpc;
    case 'tcpExchange':
      return check.exchange;
    case 'ssh':
      return check.ssh;
    case 'vsock':
      return { port: check.vsock.port };
    default:
      return {};
  }
}
