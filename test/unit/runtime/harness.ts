import type { ProbeEngine } from '../../../src/engine/probe-engine.js';
import type { RecoveryAction } from '../../../src/model/action.js';
import type { Clock } from '../../../src/model/clock.js';
import { silentLogger } from '../../../src/model/logger.js';
import type { VmSpec } from '../../../src/model/vm.js';
import type { Explanation } from '../../../src/policy/explain.js';
import { DEFAULT_POLICY_CONFIG, explain } from '../../../src/policy/index.js';
import { createRecoveries } from '../../../src/recovery/registry.js';
import type { BeforeAction } from '../../../src/runtime/action-runner.js';
import type { CustomProbes } from '../../../src/runtime/custom-probes.js';
import type { HookPort } from '../../../src/runtime/hooks/hook-views.js';
import { MemoryJournal, type ObservableJournal } from '../../../src/runtime/journal/index.js';
import { Supervisor } from '../../../src/runtime/supervisor.js';
import { ManualClock, settle } from '../../fakes/manual-clock.js';
import { RecordingDriver } from '../../fakes/recording-driver.js';
import { ScriptedEngine } from '../../fakes/scripted-engine.js';

export interface HarnessOptions {
  readonly journal?: ObservableJournal;
  readonly beforeAction?: BeforeAction;
  readonly holdFile?: string;
  readonly hostBootId?: string;
  readonly probes?: CustomProbes;
  readonly hooks?: HookPort;
  /** Text of /proc/self/status. */
  readonly ownStatus?: string;
  /** Shared with a former harness: a daemon that was restarted sees the same VMMs. */
  readonly clock?: ManualClock;
  readonly driver?: RecordingDriver;
  /** Instead of the scripted engine, and where wanted of the manual clock. */
  readonly real?: { readonly engine: ProbeEngine; readonly clock?: Clock };
}

/** A supervisor on a manual clock, a scripted engine and a recording driver. */
export class Harness {
  readonly clock: ManualClock;
  readonly engine: ScriptedEngine;
  readonly driver: RecordingDriver;
  readonly journal: ObservableJournal;
  readonly supervisor: Supervisor;
  readonly actions: RecoveryAction[] = [];

  constructor(options: HarnessOptions = {}) {
    const clock = options.clock ?? new ManualClock();
    this.clock = clock;
    this.engine = new ScriptedEngine(() => clock.now());
    this.driver = options.driver ?? new RecordingDriver(() => clock.now());
    this.journal = options.journal ?? new MemoryJournal();
    this.supervisor = new Supervisor({
      host: 'test-host',
      version: '0.0.0',
      hostBootId: () => options.hostBootId ?? 'boot-1',
      engine: options.real?.engine ?? this.engine,
      journal: this.journal,
      drivers: { qemu: this.driver, 'cloud-hypervisor': this.driver },
      probes: options.probes ?? {},
      probeHost: {
        runInPool: () => Promise.reject(new Error('the harness has no pool')),
        runTogether: () => Promise.reject(new Error('the harness has no pool')),
        resolveHost: async (host) => ({ addresses: [host] }),
      },
      ownStatus: () => options.ownStatus ?? '',
      recoveries: createRecoveries(),
      policy: DEFAULT_POLICY_CONFIG,
      clock: options.real?.clock ?? clock,
      logger: silentLogger,
      journalDeadlineMs: 1000,
      onRecovery: (action) => this.actions.push(action),
      ...(options.beforeAction === undefined ? {} : { beforeAction: options.beforeAction }),
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      ...(options.holdFile === undefined ? {} : { holdFile: options.holdFile }),
    });
  }

  /** Starts on VMs that run already, and lets every probe say ok. */
  async startHealthy(...vms: VmSpec[]): Promise<void> {
    for (const vm of vms) if (!this.driver.processOf(vm)) this.driver.boot(vm);
    await this.supervisor.start(vms);
    for (const vm of vms) await this.allOk(vm);
  }

  async allOk(vm: VmSpec): Promise<void> {
    for (const probe of vm.probes.filter(({ enabled }) => enabled))
      this.engine.transition(`${vm.id}/${probe.name}`, 'ok');
    await settle();
  }

  explain(vm: VmSpec): Explanation {
    return explain(this.supervisor.state, vm.id, this.clock.now());
  }

  steps(): string[] {
    return this.actions.map((action) => action.step);
  }
}
