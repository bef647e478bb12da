import { hostname } from 'node:os';
import { ProbeEngine } from '../engine/index.js';
import type { ProbeEngine as Engine } from '../engine/probe-engine.js';
import { hostBootId } from '../hypervisors/process.js';
import { createDrivers } from '../hypervisors/registry.js';
import { kernelMissing } from '../kernel/index.js';
import { type Clock, systemClock } from '../model/clock.js';
import { DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from '../model/folders.js';
import { given } from '../model/given.js';
import { DEFAULT_HOOK_SETTINGS } from '../model/hook.js';
import { silentLogger } from '../model/logger.js';
import { hostFilter, hostForwarding, hostLinks } from '../network/index.js';
import { DEFAULT_POLICY_CONFIG } from '../policy/index.js';
import { WorkerPool } from '../pool/index.js';
import { HostResolver } from '../probes/dns/host-resolver.js';
import { createRecoveries } from '../recovery/registry.js';
import { Checks } from './checks.js';
import { unitOf } from './find-vm.js';
import { Guests } from './guests.js';
import { Health } from './health.js';
import { Heartbeats } from './heartbeats.js';
import { History } from './history.js';
import { Hooks } from './hooks/hooks.js';
import { hostLinkSource } from './host-link-source.js';
import { HostNetworking } from './host-networking.js';
import { readHostSigns, readOomKills } from './host-signs.js';
import { MemoryJournal, type ObservableJournal } from './journal/index.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { pollHost } from './poll-host.js';
import { readOwnStatus } from './raw-rights.js';
import { RuntimeViews } from './runtime-views.js';
import { vmStorage } from './storage/vm-storage.js';
import { Supervisor } from './supervisor.js';
import { VERSION } from './version.js';
import type { VmpulseOptions } from './vmpulse-options.js';

/** The options with their defaults, and what the parts of a runtime have in common. */
interface Base {
  readonly options: VmpulseOptions;
  readonly clock: Clock;
  readonly host: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly journal: ObservableJournal;
  readonly journalDeadlineMs: number;
  readonly engine: Engine;
  readonly metrics: Metrics;
  /** What computes. */
  readonly pool: WorkerPool;
  /** What talks over the network and mostly waits. */
  readonly conversations: WorkerPool;
  /** There once all parts are. */
  readonly supervisor: () => Supervisor;
}

/** Makes the parts of a runtime and ties them together. Does no I/O. */
export function makeVmpulse(options: VmpulseOptions) {
  let fallback: string | undefined;
  const onFallback = (error: Error) => {
    fallback = error.message;
  };
  const base: Base = {
    options,
    clock: options.clock ?? systemClock,
    host: options.host ?? hostname(),
    runDir: options.runDir ?? DEFAULT_RUN_DIR,
    stateDir: options.stateDir ?? DEFAULT_STATE_DIR,
    journal: options.journal ?? new MemoryJournal(),
    journalDeadlineMs: options.journalDeadlineMs ?? 5_000,
    engine: options.engine ?? new ProbeEngine({ onFallback }),
    metrics: options.metrics ?? createMetrics(),
    pool: new WorkerPool(),
    conversations: new WorkerPool({ maxThreads: 1, tasksPerThread: 64 }),
    supervisor: () => supervisor,
  };
  const network = makeNetwork(base);
  const hooks = makeHooks(base);
  const supervisor = makeSupervisor(base, network, hooks);
  if (fallback !== undefined) supervisor.degrade('engine', `the portable engine is used: ${fallback}`);
  const apis = makeApis(base, supervisor);
  return { ...base, ownsEngine: options.engine === undefined, supervisor, network, hooks, ...apis };
}

function makeNetwork(base: Base): HostNetworking {
  const { options, host, journal, journalDeadlineMs, clock, supervisor } = base;
  return new HostNetworking({
    networks: options.networks ?? [],
    hostName: host,
    links: hostLinks,
    forwarding: hostForwarding,
    filter: hostFilter,
    journal,
    journalDeadlineMs,
    clock,
    unavailable: kernelMissing,
    isRunning: (vm) => supervisor().units.get(vm)?.session !== undefined,
    recorder: () => supervisor().recorder,
    degrade: (what, why) => supervisor().degrade(what, why),
  });
}

function makeHooks(base: Base): Hooks {
  const { options, host, runDir, stateDir, clock, supervisor, metrics } = base;
  return new Hooks({
    settings: options.hooks ?? DEFAULT_HOOK_SETTINGS,
    stateDir,
    runDir,
    host,
    clock,
    recorder: () => supervisor().recorder,
    spec: (vm) => unitOf(supervisor().units, vm).spec,
    specs: () => [...supervisor().units.values()].map(({ spec }) => spec),
    degrade: (what, why) => supervisor().degrade(what, why),
    onRun: (event, result) => metrics.hook(event, result),
  });
}

function makeSupervisor(base: Base, network: HostNetworking, hooks: Hooks): Supervisor {
  const { options, host, runDir, stateDir, clock, engine, journal, journalDeadlineMs, metrics } = base;
  const { pool, conversations } = base;
  const resolver = new HostResolver({ clock });
  const storage = vmStorage(stateDir);
  const degradeLinks = (why: string) => base.supervisor().degrade('links', why);
  return new Supervisor({
    ...{ host, version: VERSION, hostBootId, engine, journal, journalDeadlineMs, clock, hooks },
    watchHost: pollHost(readHostSigns, clock),
    oomKills: readOomKills,
    ownStatus: readOwnStatus,
    ...(kernelMissing() === undefined ? { links: hostLinkSource(degradeLinks) } : {}),
    network: network.port,
    drivers: {
      ...createDrivers({ engine, pool, network: network.port, storage, runDir, stateDir }),
      ...options.drivers,
    },
    probes: options.probes ?? {},
    probeHost: {
      runInPool: (worker, args, call) => pool.run(worker, args, call),
      runTogether: (worker, args, call) => conversations.run(worker, args, call),
      resolveHost: (name, call) => resolver.resolve(name, call),
    },
    recoveries: createRecoveries(options.recoveries),
    policy: { ...DEFAULT_POLICY_CONFIG, ...options.policy },
    logger: options.logger ?? silentLogger,
    holdFile: options.holdFile ?? `${runDir}/hold`,
    ...given({ beforeAction: options.beforeAction }),
    onDecision: ({ vm, kind, rule }) => {
      if (vm !== null && kind === 'hold' && rule === 'edit-war') metrics.thrash(vm);
    },
    onRecovery: (action, result) => metrics.recovery(action.step, result.result),
  });
}

/** What the host program asks and has done. */
function makeApis(base: Base, supervisor: Supervisor) {
  const { clock, host, journal, journalDeadlineMs, engine, metrics } = base;
  const { recorder, units } = supervisor;
  const views = new RuntimeViews({
    ...{ supervisor, journal, clock, host },
    engine: engine.backend,
    startedAtMs: clock.now(),
  });
  const unit = (vm: string) => unitOf(units, vm);
  const health = new Health({
    view: () => views.host(),
    viewVm: (vm) => views.vm(vm),
    unit,
    degradations: () => supervisor.degradations,
    command: (event, record) => supervisor.command(event, record),
  });
  metrics.bind({
    engineStats: () => engine.stats(),
    hostFigures: () => views.hostFigures(),
    changedVms: () => supervisor.takeChanged(),
    vmFigures: (only) => views.vmFigures(only),
    degrade: (why) => supervisor.degrade('metrics', why),
  });
  return {
    views,
    health,
    heartbeats: new Heartbeats({ journal, deadlineMs: journalDeadlineMs, clock, recorder, units }),
    history: new History(journal, () => recorder.settled()),
    checks: new Checks(unit, (vm) => views.vm(vm).probes),
    guests: new Guests(unit, recorder),
  };
}
