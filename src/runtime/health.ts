import type { TargetStatus } from '../engine/probe-engine.js';
import type { HealthState } from '../model/health.js';
import { outcomeReason } from '../model/outcome.js';
import { REASON_CLASS, type Reason, type ReasonClass } from '../model/reasons.js';
import type { VmId } from '../model/vm.js';
import type { ProbeSummary } from '../policy/index.js';
import type { Supervisor } from './supervisor.js';
import type { Degradation, HostView, VmView } from './views.js';
import type { VmUnit } from './vm-unit.js';

/** What a probe said last on its schedule. */
export interface LastOutcome {
  readonly result: 'ok' | 'failed' | 'inconclusive';
  readonly reason: Reason | null;
  readonly class: ReasonClass | null;
  readonly atMs: number;
  readonly durationMs: number;
}

/** A probe with its state, and what the engine counts of it. */
export interface ProbeHealth extends ProbeSummary {
  /** The class of `reason`. */
  readonly class: ReasonClass | null;
  readonly periodMs: number;
  /** False: it is not asked now, as the VM does not run, boots, is paused or the like. */
  readonly asked: boolean;
  /** Null: it has said nothing since the VM was attached to, or began to boot. */
  readonly last: LastOutcome | null;
  /** The last ok since then; null: none. */
  readonly lastOkMs: number | null;
  /** Outcomes in a row. */
  readonly streak: { readonly ok: number; readonly failed: number; readonly inconclusive: number };
}

export interface VmHealth {
  readonly vm: VmId;
  readonly health: HealthState;
  readonly sinceMs: number;
  /** Why nothing watches whether it is well; null: its probes do, or it is off and is looked at. */
  readonly unmonitored: string | null;
  readonly probes: readonly ProbeHealth[];
}

/** How many of the VMs are watched, and how they are. */
export interface HealthSummary {
  readonly totalVms: number;
  readonly monitoredVms: number;
  /** Share of the VMs that are monitored, 0 to 1; 1 where there are none. */
  readonly coverage: number;
  /** VMs by health; what none has is left out. */
  readonly health: Readonly<Record<string, number>>;
  readonly probes: { readonly total: number; readonly failed: number; readonly blind: number };
  readonly unmonitored: readonly { readonly vm: VmId; readonly why: string }[];
}

/** How VMs are, as their probes have it. */
export interface HealthApi {
  summary(): HealthSummary;
  /** Throws ERR_VMPULSE_VM_UNKNOWN. */
  of(vm: VmId): VmHealth;
  /**
   * What was counted of the VM's probes is forgotten, and thresholds start over: a readiness probe has to succeed again.
   * `clearHistory`: former episodes are forgotten too, and its history of health begins now; the journal keeps what it
   * has. Rejects with ERR_VMPULSE_VM_UNKNOWN.
   */
  reset(options: {
    readonly vm: VmId;
    readonly author: string;
    readonly clearHistory: boolean;
  }): Promise<void>;
}

export interface HealthOptions {
  readonly view: () => HostView;
  /** Both throw ERR_VMPULSE_VM_UNKNOWN. */
  readonly viewVm: (vm: VmId) => VmView;
  readonly unit: (vm: VmId) => VmUnit;
  readonly degradations: () => readonly Degradation[];
  readonly command: Supervisor['command'];
}

export class Health implements HealthApi {
  readonly #options: HealthOptions;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  summary(): HealthSummary {
    return summarizeHealth(this.#options.view());
  }

  of(vm: VmId): VmHealth {
    const { viewVm, unit, degradations } = this.#options;
    const view = viewVm(vm);
    const { spec, probes: registered } = unit(vm);
    const probes = view.probes.map((probe) => {
      const periodMs = spec.probes.find(({ name }) => name === probe.name)?.timing.periodMs ?? 0;
      return probeHealth(probe, periodMs, registered.get(probe.name)?.status());
    });
    const { health, sinceMs } = view;
    return { vm, health, sinceMs, unmonitored: whyUnmonitored(view, degradations()), probes };
  }

  async reset({ vm, author, clearHistory }: Parameters<HealthApi['reset']>[0]): Promise<void> {
    this.#options.unit(vm);
    const what = clearHistory ? 'probes and history' : 'probes';
    await this.#options.command(
      { type: 'probes-reset', vm, author, clearHistory },
      {
        vm,
        text: `${what} of ${vm} reset by ${author}`,
        data: { verb: 'health-reset', author, clearHistory },
      },
    );
  }
}

/** Counts what a view of the host says. */
export function summarizeHealth({ vms, degradations }: HostView): HealthSummary {
  const health: Record<string, number> = {};
  for (const vm of vms) health[vm.health] = (health[vm.health] ?? 0) + 1;
  const unmonitored = vms.flatMap((vm) => {
    const why = whyUnmonitored(vm, degradations);
    return why === null ? [] : [{ vm: vm.id, why }];
  });
  const probes = vms.flatMap((vm) => vm.probes);
  const count = (state: ProbeSummary['state']) => probes.filter((probe) => probe.state === state).length;
  const monitoredVms = vms.length - unmonitored.length;
  return {
    totalVms: vms.length,
    monitoredVms,
    coverage: vms.length === 0 ? 1 : monitoredVms / vms.length,
    health,
    probes: { total: probes.length, failed: count('failed'), blind: count('blind') },
    unmonitored,
  };
}

function whyUnmonitored({ id, probes }: VmView, degradations: readonly Degradation[]): string | null {
  const look = degradations.find(({ what }) => what === `look/${id}`);
  if (look !== undefined) return look.why;
  if (probes.length === 0) return 'it has no probe that is switched on';
  return probes.every(({ state }) => state === 'blind') ? 'none of its probes can tell anything' : null;
}

const NOTHING = { ok: 0, failed: 0, inconclusive: 0 };

function probeHealth(probe: ProbeSummary, periodMs: number, status: TargetStatus | undefined): ProbeHealth {
  return {
    ...probe,
    class: classOf(probe.reason),
    periodMs,
    asked: status !== undefined && !status.suspended,
    last: status === undefined ? null : lastOf(status),
    lastOkMs: status === undefined || status.lastOkMs === 0 ? null : status.lastOkMs,
    streak:
      status === undefined
        ? NOTHING
        : {
            ok: status.consecutiveOk,
            failed: status.consecutiveFailed,
            inconclusive: status.consecutiveInconclusive,
          },
  };
}

function lastOf({ lastOutcome, lastAtMs, lastDurationMs }: TargetStatus): LastOutcome | null {
  if (lastOutcome === undefined) return null;
  const reason = outcomeReason(lastOutcome) ?? null;
  return {
    result: lastOutcome.result,
    reason,
    class: classOf(reason),
    atMs: lastAtMs,
    durationMs: lastDurationMs,
  };
}

function classOf(reason: Reason | null): ReasonClass | null {
  return reason === null ? null : REASON_CLASS[reason];
}
