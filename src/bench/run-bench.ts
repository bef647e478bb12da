import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineStats, ProbeEngine } from '../engine/index.js';
import { openResponder } from '../engine/responder.js';
import {
  type BenchKind,
  benchTargets,
  checkPerAddress,
  loopbackPlaces,
  type Place,
} from './bench-targets.js';
import { probingUs } from './thread-times.js';

export interface BenchOptions {
  readonly kind: BenchKind;
  /** How many targets on loopback, or the targets themselves. */
  readonly targets: number | readonly Place[];
  readonly periodMs: number;
  readonly durationMs: number;
  /** Most probes a second to one listed address. */
  readonly perAddress: number;
  /** Ends the measurement early; what was measured so far is the result. */
  readonly signal: AbortSignal;
  /** Share of the duration that is over. */
  readonly onProgress?: (share: number) => void;
}

export interface BenchReport {
  readonly kind: BenchKind;
  readonly targets: number;
  readonly periodMs: number;
  /** How long was measured, ms. */
  readonly durationMs: number;
  readonly probes: number;
  readonly probesPerSecond: number;
  /** On-CPU time of the prober's threads for each probe, µs. On loopback the kernel's work for both ends is in it. */
  readonly cpuUsPerProbe: number;
  /** Growth of the process when the targets were added, bytes of each. */
  readonly bytesPerTarget: number;
  /** How much later than planned probes began. */
  readonly latenessMs: EngineStats['latenessMs'];
  /** Probes by what came of them: `ok` or a reason, most frequent first. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly reactor: EngineStats['reactor'];
}

const PROGRESS_MS = 250;

/**
 * Probes loopback (a responder of its own answers) or listed targets for a while and tells what it took. Throws
 * ERR_VMPULSE_USAGE for a list that would load an address too much, ERR_VMPULSE_NATIVE without the native engine.
 */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { kind, targets, periodMs, perAddress } = options;
  if (typeof targets !== 'number') {
    checkPerAddress(targets, periodMs, perAddress);
    return probePlaces(options, targets);
  }
  const responder = openResponder({ tls: kind === 'https' });
  try {
    return await probePlaces(options, loopbackPlaces(targets, responder.port));
  } finally {
    responder.close();
  }
}

async function probePlaces(options: BenchOptions, places: readonly Place[]): Promise<BenchReport> {
  const engine = new ProbeEngine({ engine: 'native' });
  const taken = takeAll(engine);
  try {
    const before = process.memoryUsage.rss();
    engine.add(benchTargets(options.kind, places, options.periodMs));
    const bytesPerTarget = Math.max(0, process.memoryUsage.rss() - before) / places.length;
    return { ...(await measure(engine, options, places.length)), bytesPerTarget };
  } finally {
    await engine.close();
    await taken;
  }
}

async function measure(
  engine: ProbeEngine,
  { kind, periodMs, durationMs, signal, onProgress }: BenchOptions,
  targets: number,
): Promise<Omit<BenchReport, 'bytesPerTarget'>> {
  const [startedAt, firstUs] = [performance.now(), probingUs()];
  const elapsedMs = () => performance.now() - startedAt;
  while (elapsedMs() < durationMs && !signal.aborted) {
    const restMs = durationMs - elapsedMs();
    await sleep(Math.min(PROGRESS_MS, restMs), undefined, { signal }).catch(() => {});
    onProgress?.(Math.min(1, elapsedMs() / durationMs));
  }
  const [stats, us, ms] = [engine.stats(), probingUs() - firstUs, elapsedMs()];
  const outcomes = stats.outcomes
    .toSorted((a, b) => b.count - a.count)
    .map(({ reason, count }) => [reason, count] as const);
  const probes = outcomes.reduce((sum, [, count]) => sum + count, 0);
  return {
    kind,
    targets,
    periodMs,
    durationMs: ms,
    probes,
    probesPerSecond: (probes * 1000) / ms,
    cpuUsPerProbe: probes === 0 ? 0 : us / probes,
    latenessMs: stats.latenessMs,
    outcomes: Object.fromEntries(outcomes),
    reactor: stats.reactor,
  };
}

/** Takes the engine's events, as any host program does, so that they do not pile up in it. */
async function takeAll(engine: ProbeEngine): Promise<void> {
  for await (const _batch of engine.transitions());
}
