import type { Clock } from '../model/clock.js';
import type { VmId } from '../model/vm.js';
import { explain } from '../policy/index.js';
import { unitOf } from './find-vm.js';
import type { ObservableJournal } from './journal/index.js';
import type { Supervisor } from './supervisor.js';
import { VERSION } from './version.js';
import { buildFigures, buildHostFigures, buildHostView, buildVmView } from './view-builder.js';
import type { ExplainView, HostFigures, HostView, RecoveryPolicyView, VmFigures, VmView } from './views.js';

const EXPLAIN_JOURNAL_ENTRIES = 50;

export interface RuntimeViewsOptions {
  readonly supervisor: Supervisor;
  readonly journal: ObservableJournal;
  readonly clock: Clock;
  readonly host: string;
  readonly engine: HostView['engine'];
  readonly startedAtMs: number;
}

/** What a runtime shows of its host and its VMs. Views of a VM throw ERR_VMPULSE_VM_UNKNOWN. */
export class RuntimeViews {
  readonly #options: RuntimeViewsOptions;

  constructor(options: RuntimeViewsOptions) {
    this.#options = options;
  }

  host(): HostView {
    const { supervisor, host, engine } = this.#options;
    return buildHostView(supervisor, { ...this.#facts(), host, pid: process.pid, engine });
  }

  vm(vm: VmId): VmView {
    const { supervisor } = this.#options;
    return buildVmView(supervisor, unitOf(supervisor.units, vm));
  }

  recoveryPolicy(vm: VmId): RecoveryPolicyView {
    const { recovery, recoveryOrigins = {} } = unitOf(this.#options.supervisor.units, vm).spec;
    return { vm, recovery, origins: recoveryOrigins };
  }

  async explain(vm: VmId): Promise<ExplainView> {
    const { supervisor, journal, clock } = this.#options;
    const unit = unitOf(supervisor.units, vm);
    await supervisor.recorder.settled();
    // A journal that cannot be read is a degradation of its own; the explanation does not depend on it.
    const newest = journal.query({ vm, order: 'newest', limit: EXPLAIN_JOURNAL_ENTRIES });
    const { entries } = await newest.catch(() => ({ entries: [] }));
    return {
      ...explain(supervisor.state, vm, clock.now()),
      vmm: buildVmView(supervisor, unit).vmm,
      degradations: supervisor.degradationsOf(vm),
      journal: entries.map(({ seq, atMs, type, text }) => ({ seq, atMs, type, text })).reverse(),
    };
  }

  /** For metrics. */
  hostFigures(): HostFigures {
    return buildHostFigures(this.#options.supervisor, this.#facts());
  }

  /** For metrics (`only`: of these VMs), each made as it is asked for. */
  vmFigures(only: ReadonlySet<VmId> | undefined): Iterable<VmFigures> {
    const { supervisor } = this.#options;
    return buildFigures(supervisor, supervisor.listed, only);
  }

  #facts(): Pick<HostView, 'version' | 'startedAtMs' | 'nowMs' | 'degradations'> {
    const { supervisor, clock, startedAtMs } = this.#options;
    return { version: VERSION, startedAtMs, nowMs: clock.now(), degradations: supervisor.degradations };
  }
}
