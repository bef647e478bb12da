import type { EngineStats } from '../../engine/probe-engine.js';
import { REASON_CLASS, type Reason } from '../../model/reasons.js';
import { EngineHistogram } from './engine-histogram.js';
import { counter, type Making } from './making.js';

type Tally = EngineStats['outcomes'][number];

/** Sums of what ended, by kind of probe; a kind of which nothing counts has 0. */
export function sumByKind(
  outcomes: readonly Tally[],
  counts: (reason: Reason | 'ok') => boolean,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { kind, reason, count } of outcomes)
    sums.set(kind, (sums.get(kind) ?? 0) + (counts(reason) ? count : 0));
  return sums;
}

export function isFailure(reason: Reason | 'ok'): reason is Reason {
  return reason !== 'ok' && REASON_CLASS[reason] !== 'inconclusive';
}

/** What probes said, and how long they took. */
export function makeCheckMetrics(making: Making): void {
  counter(
    making,
    'vmpulse_health_checks_total',
    'Probes that ended, whatever they said.',
    ['kind'],
    ({ stats }, add) => {
      for (const [kind, count] of sumByKind(stats.outcomes, () => true)) add({ kind }, count);
    },
  );
  counter(
    making,
    'vmpulse_health_checks_failed_total',
    'Probes that failed, by the class of their reason.',
    ['kind', 'class'],
    ({ stats }, add) => {
      for (const { kind, reason, count } of stats.outcomes) {
        if (isFailure(reason)) add({ kind, class: REASON_CLASS[reason] }, count);
      }
    },
  );
  counter(
    making,
    'vmpulse_health_checks_inconclusive_total',
    'Probes that could not tell, by reason; they move no threshold.',
    ['kind', 'reason'],
    ({ stats }, add) => {
      for (const { kind, reason, count } of stats.outcomes) {
        if (reason !== 'ok' && !isFailure(reason)) add({ kind, reason }, count);
      }
    },
  );
  new EngineHistogram({
    name: 'vmpulse_probe_duration_seconds',
    help: 'How long probes took, from start to verdict.',
    registers: making.registers,
    durations: () => making.read()?.stats.durations ?? [],
  });
}
