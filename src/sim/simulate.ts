import { VmpulseError } from '../model/errors.js';
import type { StoredJournalEntry } from '../model/ports.js';
import type { RecoverySpec } from '../model/vm.js';
import type { PolicyConfig } from '../policy/types.js';
import type { FaultKind } from './faults/fault.js';
import { FAULTS } from './faults/registry.js';
import type { FleetSize } from './fleet-size.js';
import type { Finding } from './judge.js';
import type { Canary } from './sim-daemon.js';
import { type OnStory, World } from './world.js';

const DAY_MS = 86_400_000;
const YEAR_MS = 365.25 * DAY_MS;
const HOUR_MS = 3_600_000;
/** Of every VM-year, at the least. */
const FAULTS_A_VM_YEAR = 11;

export interface SeedOptions extends FleetSize {
  readonly seed: number;
  /** Names of fault kinds; all where it is not given. */
  readonly faults?: readonly string[];
  /** What VMs are recovered by, in turn; not empty. */
  readonly recoveries: readonly RecoverySpec[];
  readonly policy: PolicyConfig;
}

/** What only tests and `--verbose` want. */
export interface SeedExtras {
  readonly canary?: Canary;
  readonly maySleep?: boolean;
  readonly onEntry?: (host: string, entry: StoredJournalEntry) => void;
  readonly onStory?: OnStory;
}

/** Plain data: it travels between threads. */
export interface SeedReport {
  readonly seed: number;
  readonly size: FleetSize;
  readonly vmYears: number;
  readonly faults: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly acts: number;
  readonly findings: readonly Finding[];
  readonly wantedMs: number;
  readonly servedMs: number;
  readonly detectMs: readonly number[];
  readonly healMs: readonly number[];
  /** Things that happened. */
  readonly events: number;
}

/** The kinds of that name; throws ERR_VMPULSE_USAGE for a name that is none. */
export function faultKinds(names: readonly string[] | undefined): readonly FaultKind[] {
  if (names === undefined) return FAULTS;
  return names.map((name) => {
    const kind = FAULTS.find((known) => known.name === name);
    if (kind) return kind;
    const list = FAULTS.map((known) => known.name).join(', ');
    throw new VmpulseError('ERR_VMPULSE_USAGE', `there is no fault ${name}; there are ${list}`);
  });
}

/** Lets one seed happen from beginning to end. The same options give the same report, and the same journals. */
export async function simulateSeed(options: SeedOptions, extras: SeedExtras = {}): Promise<SeedReport> {
  const { seed, vms, hosts, days, recoveries, policy } = options;
  const world = new World({
    seed,
    vms,
    hosts,
    recoveries,
    policy,
    canary: extras.canary ?? {},
    maySleep: extras.maySleep ?? true,
    ...(extras.onEntry === undefined ? {} : { onEntry: extras.onEntry }),
    ...(extras.onStory === undefined ? {} : { onStory: extras.onStory }),
  });
  const startMs = world.timeline.nowMs;
  const endMs = startMs + days * DAY_MS;
  world.begin();
  plan(world, faultKinds(options.faults), startMs, endMs, (vms * days * DAY_MS) / YEAR_MS);
  keepChecking(world, endMs);
  await world.timeline.run(endMs);
  for (const host of world.hosts) host.daemon?.kill();
  world.judge.finish();
  world.checker.finish();
  const { judge } = world;
  return {
    seed,
    size: { vms, hosts, days },
    vmYears: (vms * (endMs - startMs)) / YEAR_MS,
    faults: judge.faults,
    kinds: Object.fromEntries([...judge.kinds].sort(([a], [b]) => (a < b ? -1 : 1))),
    acts: judge.acts,
    findings: judge.findings,
    wantedMs: judge.wantedMs,
    servedMs: judge.servedMs,
    detectMs: judge.detect.values,
    healMs: judge.heal.values,
    events: world.timeline.handled,
  };
}

/** Spreads the faults over the time: every kind in its turn, at any moment. */
function plan(
  world: World,
  kinds: readonly FaultKind[],
  startMs: number,
  endMs: number,
  vmYears: number,
): void {
  const { random, timeline } = world;
  const firstMs = startMs + 10 * 60_000;
  // What is injected has time to be judged.
  const lastMs = Math.max(firstMs, endMs - Math.min(2 * HOUR_MS, (endMs - startMs) / 4));
  const count = Math.max(kinds.length, Math.ceil(vmYears * FAULTS_A_VM_YEAR));
  for (let left = count; left > 0; left -= kinds.length) {
    for (const kind of random.shuffle(kinds).slice(0, left)) {
      timeline.at(random.between(firstMs, lastMs), () => inject(world, kind, lastMs));
    }
  }
}

function inject(world: World, kind: FaultKind, lastMs: number): void {
  const { random, timeline } = world;
  if (kind.inject(world)) return;
  const againMs = timeline.nowMs + random.between(60_000, 20 * 60_000);
  if (againMs < lastMs) timeline.at(againMs, () => inject(world, kind, lastMs));
}

function keepChecking(world: World, endMs: number): void {
  const { timeline, checker, lists } = world;
  const check = () => {
    for (const host of world.hosts) {
      if (host.daemon?.isRunning !== true) continue;
      const { state, listed } = host.daemon.supervisor;
      checker.checkBounds(host, state);
      lists.check(host, listed);
    }
    if (timeline.nowMs + HOUR_MS < endMs) timeline.after(HOUR_MS, check);
  };
  timeline.after(HOUR_MS, check);
}
