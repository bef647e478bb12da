import type { VmId } from '../model/vm.js';
import { heldMeanwhile } from '../policy/index.js';
import type { PolicyEvent, PolicyState } from '../policy/types.js';
import { ActionRunner } from './action-runner.js';
import { ActivityWatch } from './activity-watch.js';
import { CertificateWatch } from './certificate-watch.js';
import type { Degradations } from './degradations.js';
import { EngineEvents } from './engine-events.js';
import { ExternalRunner } from './external-runner.js';
import { whyNow } from './hooks/why.js';
import { HostWatches } from './host-watches.js';
import { InputLog } from './input-log.js';
import { Inventory } from './inventory.js';
import { JournalWatch } from './journal-watch.js';
import { Maintenance } from './maintenance/maintenance.js';
import { PersonActs } from './person-acts.js';
import { PolicyOutput } from './policy-output.js';
import { Recorder } from './recorder.js';
import { StateSaver } from './state-saver.js';
import { StateStore } from './state-store.js';
import type { SupervisorOptions } from './supervisor-options.js';
import { VmmEvents } from './vmm-events.js';

/** What the parts of a supervisor have in common. */
interface Core {
  readonly degradations: Degradations;
  /** Gives an event to the policy. */
  readonly post: (event: PolicyEvent) => void;
  /** `why` undefined: it works again. */
  readonly degrade: (what: string, why: string | undefined) => void;
  /** Undefined: the policy was not begun yet. */
  readonly known: () => PolicyState | undefined;
  /** The same; throws ERR_VMPULSE_CLOSED instead. */
  readonly state: () => PolicyState;
  /** Something else may be told of this VM. */
  readonly changed: (vm: VmId) => void;
  /** An invariant does not hold: all recovery holds from now on. */
  readonly onViolation: (what: string) => void;
  /** Fires when the supervisor lets go of everything. */
  readonly signal: AbortSignal;
}

export type SupervisorParts = ReturnType<typeof makeParts>;

/** Makes the parts of a supervisor and ties them together. Nothing is begun. */
export function makeParts(options: SupervisorOptions, core: Core) {
  const memory = makeMemory(options, core);
  const externals = new ExternalRunner(options.engine, options.clock);
  const inventory: Inventory = new Inventory({
    ...core,
    engine: options.engine,
    drivers: options.drivers,
    customProbes: options.probes,
    externals,
    probeHost: options.probeHost,
    ownStatus: options.ownStatus ?? (() => ''),
    clock: options.clock,
    hostBootId: options.hostBootId,
    onVmmEvent: (unit, event, atMs) => ears.vmmEvents.hear(unit, event, atMs),
    onAttached: (unit, fresh) => {
      ears.hostWatches.attached(unit);
      if (fresh) ears.vmmEvents.started(unit);
    },
    isActedOn: (vm) => {
      const known = core.known()?.vms.get(vm);
      return known?.action?.unresolved === false || known?.act != null;
    },
  });
  const hands = makeHands(options, core, memory, inventory);
  const ears = makeEars(options, core, { ...memory, ...hands, inventory });
  return { ...memory, ...hands, ...ears, externals, inventory };
}

/** What is recorded and stored. */
function makeMemory({ journal, journalDeadlineMs, logger, clock, engine }: SupervisorOptions, core: Core) {
  const recorder = new Recorder({ journal, clock, logger, deadlineMs: journalDeadlineMs });
  const store = new StateStore(journal, journalDeadlineMs, logger, () => clock.now());
  const saver = new StateSaver({ store, engine, state: core.state, clock, logger });
  const { post, degrade } = core;
  const journalWatch = new JournalWatch({ journal, store, deadlineMs: journalDeadlineMs, post, degrade });
  return { recorder, inputs: new InputLog(recorder), store, saver, journalWatch };
}

type Memory = ReturnType<typeof makeMemory>;

/** What does something to VMs: for the policy, for persons, and by a calendar. */
function makeHands(options: SupervisorOptions, core: Core, memory: Memory, inventory: Inventory) {
  const { clock, hooks, holdFile } = options;
  const { recorder, store, saver, inputs } = memory;
  const { units } = inventory;
  const common = { recorder, units, clock, hooks, holdFile, post: core.post, state: core.state };
  const persist = (vm: string) => store.saveVm(core.state(), vm);
  const maintenance = new Maintenance({
    ...common,
    save: (last) => store.saveMaintenance(last).catch((error) => saver.failed(error)),
  });
  const runner = new ActionRunner({
    ...common,
    recoveries: options.recoveries,
    network: options.network,
    beforeAction: options.beforeAction,
    heldMeanwhile: (vm) => heldMeanwhile(core.state(), vm, clock.now()),
    why: (vm) => whyNow(core.state().vms.get(vm), 'started'),
    look: (unit) => inventory.look(unit, true),
    persist,
    onViolation: core.onViolation,
    onResult: (action, result) => {
      maintenance.noteAction(action, result);
      options.onRecovery?.(action, result);
    },
  });
  const acts = new PersonActs({
    ...common,
    now: () => clock.now(),
    look: (unit, fresh) => inventory.look(unit, fresh),
    persist,
  });
  const activity = new ActivityWatch(clock, core.post);
  const { logger, onDecision } = options;
  const output = new PolicyOutput({ ...common, inputs, activity, runner, acts, logger, onDecision });
  return { maintenance, runner, acts, activity, output };
}

/** What hears of VMs and of the host. */
function makeEars(
  options: SupervisorOptions,
  core: Core,
  parts: Memory & { readonly maintenance: Maintenance; readonly inventory: Inventory },
) {
  const { recorder, store, saver, maintenance, inventory } = parts;
  const { post, degrade } = core;
  const { hooks } = options;
  const vmmEvents = new VmmEvents({ recorder, maintenance, hooks, state: core.known, post, degrade });
  const onVmmEvent: VmmEvents['hear'] = (unit, event, atMs) => vmmEvents.hear(unit, event, atMs);
  const hostWatches = new HostWatches({ ...options, units: inventory.units, post, onVmmEvent, degrade });
  const events = new EngineEvents({
    units: inventory.units,
    targets: inventory.targets,
    recorder,
    hasJustKilled: () => hostWatches.hasJustKilled(),
    post,
    onVmmEvent,
    onChange: () => saver.engineChanged(),
    degrade,
  });
  const certificates = new CertificateWatch({
    ...{ clock: options.clock, units: inventory.units, recorder },
    onChange: core.changed,
    save: (told) => void store.saveCertificates(told).catch((error) => saver.failed(error)),
  });
  return { vmmEvents, hostWatches, events, certificates };
}
