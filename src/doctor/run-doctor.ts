import { setMaxListeners } from 'node:events';
import { Deadline } from '../model/deadline.js';
import { errorMessage } from '../model/errors.js';
import type { DoctorCheck } from './check.js';
import type { Demand } from './demand.js';
import { type Finding, type ReportedFinding, SEVERITIES, type Severity, warning } from './finding.js';
import type { DoctorHost } from './host.js';

/** Everything that was found. What is in it and its names are stable; more may be added. */
export interface DoctorReport {
  /** Of this format. */
  readonly version: 1;
  /** The configuration whose needs were compared; null: none. */
  readonly configuration: string | null;
  readonly findings: readonly ReportedFinding[];
  readonly counts: Readonly<Record<Severity, number>>;
}

export interface RunDoctorOptions {
  readonly host: DoctorHost;
  readonly demand: Demand;
  readonly checks: readonly DoctorCheck[];
  /** For each check; default 5000. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** A single thing within a check, so that the check itself can still tell of it. */
const PART_OF_DEADLINE = 0.8;

/** Runs all checks side by side. One that throws or hangs is a finding; only the signal rejects. */
export async function runDoctor({ signal, ...options }: RunDoctorOptions): Promise<DoctorReport> {
  const withSignal = signal === undefined ? {} : { signal: forMany(signal) };
  const found = await Promise.all(
    options.checks.map((check) => runCheck(check, { ...options, ...withSignal })),
  );
  const findings = found.flat();
  const counts = Object.fromEntries(
    SEVERITIES.map((severity) => [severity, findings.filter((one) => one.severity === severity).length]),
  ) as Record<Severity, number>;
  return { version: 1, configuration: options.demand.source, findings, counts };
}

/** More listen than Node takes for usual; it would tell whoever runs this of a leak. */
function forMany(signal: AbortSignal): AbortSignal {
  const shared = AbortSignal.any([signal]);
  setMaxListeners(0, shared);
  return shared;
}

async function runCheck(
  check: DoctorCheck,
  { host, demand, deadlineMs = 5_000, signal }: RunDoctorOptions,
): Promise<ReportedFinding[]> {
  const withSignal = signal === undefined ? {} : { signal };
  const deadline = new Deadline(`check ${check.id}`, { deadlineMs, ...withSignal });
  const call = { deadlineMs: Math.floor(deadlineMs * PART_OF_DEADLINE), ...withSignal };
  let findings: readonly Finding[];
  try {
    findings = await deadline.race(Promise.resolve().then(() => check.look({ host, demand, call })));
  } catch (problem) {
    signal?.throwIfAborted();
    findings = [warning(`could not be told: ${errorMessage(problem)}`)];
  }
  return findings.map(({ subject = null, severity, seen, fix = null }) => ({
    id: check.id,
    subject,
    severity,
    seen,
    why: check.why,
    fix,
  }));
}
