import { counter, gauge, type Making } from './making.js';

/** The engine at work. */
export function makeEngineMetrics(making: Making): void {
  gauge(making, 'vmpulse_engine_targets', 'Probes that the engine schedules.', [], ({ stats }, set) =>
    set({}, stats.targets),
  );
  gauge(making, 'vmpulse_engine_probes_in_flight', 'Probes under way.', [], ({ stats }, set) =>
    set({}, stats.inFlight),
  );
  counter(making, 'vmpulse_engine_probes_started_total', 'Probes begun.', [], ({ stats }, add) =>
    add({}, stats.probesStarted),
  );
  counter(
    making,
    'vmpulse_engine_transitions_coalesced_total',
    'Changes of state that a later one overtook before they were delivered.',
    [],
    ({ stats }, add) => add({}, stats.coalesced),
  );
  counter(
    making,
    'vmpulse_engine_reactor_panics_total',
    'Faults of the engine that it went on from by restarting a reactor.',
    [],
    ({ stats }, add) => add({}, stats.reactorPanics),
  );
  gauge(
    making,
    'vmpulse_engine_reactors_down',
    'Reactors that stay down after too many faults; their probes are blind until a restart.',
    [],
    ({ stats }, set) => set({}, stats.reactorsDown),
  );
  gauge(
    making,
    'vmpulse_engine_lateness_seconds',
    'How late probes started since the last scrape; quantile 1 is the latest.',
    ['quantile'],
    ({ stats }, set) => {
      const { p50, p99, max } = stats.latenessMs;
      for (const [quantile, ms] of [
        ['0.5', p50],
        ['0.99', p99],
        ['1', max],
      ] as const)
        set({ quantile }, ms / 1000);
    },
  );
}
