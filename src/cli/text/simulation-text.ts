import { plainText } from '../../model/plain-text.js';
import type { FailedSeed, Tally } from '../../sim/totals.js';
import type { Paint } from './paint.js';

const FINDINGS_SHOWN = 5;
const SEEDS_SHOWN = 10;

/** Milliseconds as people read them. */
function span(ms: number): string {
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

export interface SimulationAsked {
  /** Kinds of faults that were asked for. */
  readonly kinds: readonly string[];
  /** Makes the command that runs one seed again. */
  readonly replay: (failed: FailedSeed) => string;
}

/** The result of a simulation. */
export function simulationText(tally: Tally, { kinds, replay }: SimulationAsked, paint: Paint): string {
  const totals = tally.totals();
  const bad = (count: number) => (count === 0 ? paint.good('0') : paint.bad(String(count)));
  const failed = tally.failed
    .slice(0, SEEDS_SHOWN)
    .map((one) => `${failedText(one, paint)}  replay: ${replay(one)}\n`);
  const more =
    tally.failedSeeds > SEEDS_SHOWN
      ? `and ${tally.failedSeeds - SEEDS_SHOWN} more seeds with findings\n`
      : '';
  const absent = kinds.filter((kind) => !tally.kinds.has(kind));
  const rows: readonly (readonly [string, string])[] = [
    ['seeds', `${tally.seeds}, ${tally.failedSeeds} with findings`],
    ['VM-years', totals.vmYears.toFixed(totals.vmYears < 1 ? 3 : 1)],
    ['faults', `${totals.faults} of ${tally.kinds.size} kinds`],
    ...(absent.length === 0
      ? []
      : [['without', `${absent.join(', ')} (no VM or host was fit for it)`] as const]),
    ['missed', bad(totals.missed)],
    ['false restarts', bad(totals.falseRestarts)],
    ['invariants broken', bad(totals.invariantViolations)],
    ['detected after', `${span(totals.detectMs.p50)} (p99 ${span(totals.detectMs.p99)})`],
    ['healed after', `${span(totals.healMs.p50)} (p99 ${span(totals.healMs.p99)})`],
    ['availability', `${(totals.availability * 100).toFixed(4)} %`],
    ['actions a fault', totals.actionsPerFault.toFixed(2)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${failed.join('')}${more}${rows.map(([name, value]) => `${paint.faint(name.padEnd(width))}  ${value}\n`).join('')}`;
}

function failedText({ seed, findings }: FailedSeed, paint: Paint): string {
  const lines = findings
    .slice(0, FINDINGS_SHOWN)
    .map(
      ({ kind, atMs, host, vm, text }) =>
        `  ${paint.bad(kind)} ${new Date(atMs).toISOString()} ${vm ?? host}: ${plainText(text)}\n`,
    );
  const more = findings.length > FINDINGS_SHOWN ? `  and ${findings.length - FINDINGS_SHOWN} more\n` : '';
  return `${paint.strong(`seed ${seed}`)}\n${lines.join('')}${more}`;
}
