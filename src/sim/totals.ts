import type { FleetSize } from './fleet-size.js';
import type { Finding } from './judge.js';
import { percentile } from './samples.js';
import type { SeedReport } from './simulate.js';

/** The figures of a run over many seeds. */
export interface Totals {
  readonly vmYears: number;
  readonly faults: number;
  readonly missed: number;
  readonly falseRestarts: number;
  readonly invariantViolations: number;
  /** From the fault to the first action on it, or to the first word where telling is what it needs. */
  readonly detectMs: { readonly p50: number; readonly p99: number };
  /** From the fault to its end, of what was acted on. */
  readonly healMs: { readonly p50: number; readonly p99: number };
  /** Share of the time in which a VM was wanted and did its service. */
  readonly availability: number;
  readonly actionsPerFault: number;
}

/** A seed with findings. */
export interface FailedSeed {
  readonly seed: number;
  readonly size: FleetSize;
  readonly findings: readonly Finding[];
}

const FINDINGS_KEPT = 20;
const SEEDS_KEPT = 100;

/** Adds the reports of seeds up, in whatever order they come. */
export class Tally {
  readonly failed: FailedSeed[] = [];
  readonly kinds = new Map<string, number>();
  seeds = 0;
  failedSeeds = 0;
  #vmYears = 0;
  #faults = 0;
  #acts = 0;
  #wantedMs = 0;
  #servedMs = 0;
  readonly #found = { missed: 0, false: 0, violation: 0 };
  readonly #detectMs: number[] = [];
  readonly #healMs: number[] = [];

  add(report: SeedReport): void {
    this.seeds += 1;
    this.#vmYears += report.vmYears;
    this.#faults += report.faults;
    this.#acts += report.acts;
    this.#wantedMs += report.wantedMs;
    this.#servedMs += report.servedMs;
    for (const ms of report.detectMs) this.#detectMs.push(ms);
    for (const ms of report.healMs) this.#healMs.push(ms);
    for (const [kind, count] of Object.entries(report.kinds)) {
      this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + count);
    }
    for (const { kind } of report.findings) this.#found[kind] += 1;
    if (report.findings.length === 0) return;
    this.failedSeeds += 1;
    if (this.failed.length < SEEDS_KEPT) {
      const { seed, size, findings } = report;
      this.failed.push({ seed, size, findings: findings.slice(0, FINDINGS_KEPT) });
    }
  }

  totals(): Totals {
    return {
      vmYears: rounded(this.#vmYears, 3),
      faults: this.#faults,
      missed: this.#found.missed,
      falseRestarts: this.#found.false,
      invariantViolations: this.#found.violation,
      detectMs: { p50: percentile(this.#detectMs, 0.5), p99: percentile(this.#detectMs, 0.99) },
      healMs: { p50: percentile(this.#healMs, 0.5), p99: percentile(this.#healMs, 0.99) },
      availability: this.#wantedMs === 0 ? 1 : rounded(this.#servedMs / this.#wantedMs, 6),
      actionsPerFault: this.#faults === 0 ? 0 : rounded(this.#acts / this.#faults, 3),
    };
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
