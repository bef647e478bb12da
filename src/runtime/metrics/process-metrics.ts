import { Gauge, Histogram } from 'prom-client';
import type { Degradation } from '../views.js';
import { gauge, type Making } from './making.js';

/** Degradations that say that what former runs recorded is gone. */
const LOSSES: ReadonlySet<string> = new Set(['journal-lost', 'state']);
/** What vmpulse can do without, in part; named as status names it. */
export const DEPENDENCIES = ['engine', 'kernel-addon', 'kvm', 'privileges'];

/** What is told of vmpulse itself. */
export function makeProcessMetrics(making: Making): void {
  new Gauge({
    name: 'vmpulse_up',
    help: '1 while the runtime answers, 0 before it was started and after it was closed.',
    registers: making.registers,
    collect() {
      this.set(making.read() ? 1 : 0);
    },
  });
  gauge(
    making,
    'vmpulse_build_info',
    'Version and engine, always 1.',
    ['version', 'engine', 'reactor'],
    ({ stats, view }, set) =>
      set({ version: view.version, engine: stats.backend, reactor: stats.reactor }, 1),
  );
  gauge(
    making,
    'vmpulse_start_time_seconds',
    'When the runtime was started, seconds since the epoch.',
    [],
    ({ view }, set) => set({}, view.startedAtMs / 1000),
  );
  gauge(
    making,
    'vmpulse_degradations',
    'What works only in part at the moment, counted by kind.',
    ['what'],
    ({ view }, set) => {
      for (const [what, count] of countByKind(view.degradations)) set({ what }, count);
    },
  );
  gauge(
    making,
    'vmpulse_dependency_missing',
    '1 while something is missing without which vmpulse works only in part.',
    ['what'],
    ({ view }, set) => {
      for (const what of DEPENDENCIES) set({ what }, isMissing(view.degradations, what));
    },
  );
  makeJournalMetrics(making);
}

function makeJournalMetrics(making: Making): void {
  gauge(
    making,
    'vmpulse_journal_available',
    '1 while the journal can be written; recovery holds while it is 0.',
    [],
    ({ view }, set) => set({}, view.degradations.some(({ what }) => what === 'journal') ? 0 : 1),
  );
  gauge(
    making,
    'vmpulse_journal_lost',
    '1 while what former runs recorded is gone or unreadable and nobody has resumed recovery since; recovery holds meanwhile.',
    [],
    ({ view }, set) => set({}, view.degradations.some(({ what }) => LOSSES.has(what)) ? 1 : 0),
  );
}

/** 1 where it is, as a whole or for one VM. */
export function isMissing(degradations: readonly Degradation[], dependency: string): 0 | 1 {
  return degradations.some(({ what }) => what === dependency || what.startsWith(`${dependency}/`)) ? 1 : 0;
}

export function makeReconcileDurations({ registers }: Making): Histogram {
  return new Histogram({
    name: 'vmpulse_reconcile_duration_seconds',
    help: 'How long it took to bring a changed configuration into force.',
    buckets: RECONCILE_BUCKETS,
    registers,
  });
}

/** Seconds. */
export const RECONCILE_BUCKETS = [0.01, 0.1, 0.5, 1, 5, 15, 60];

function countByKind(degradations: readonly Degradation[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { what } of degradations) {
    const kind = what.split('/', 1)[0] ?? what;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
