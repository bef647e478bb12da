import { Histogram, type PrometheusContentType, type Registry } from 'prom-client';
import type { EngineStats } from '../../engine/probe-engine.js';

export interface EngineHistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly registers: Registry<PrometheusContentType>[];
  readonly durations: () => EngineStats['durations'];
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A histogram that was counted elsewhere: the engine's own buckets, which observe() could not take over. */
export class EngineHistogram extends Histogram<'kind'> {
  readonly #options: EngineHistogramOptions;

  constructor(options: EngineHistogramOptions) {
    super({ name: options.name, help: options.help, labelNames: ['kind'], registers: options.registers });
    this.#options = options;
  }

  /** What prom-client renders, and what its get() is built upon. */
  async getForPromString() {
    const { name, help, durations } = this.#options;
    const values = durations().flatMap((kind) => samples(name, kind));
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}

function samples(
  name: string,
  { kind, bounds, counts, sumSeconds }: EngineStats['durations'][number],
): Sample[] {
  const total = counts.at(-1) ?? 0;
  const bucket = (le: number | string, value: number): Sample => ({
    metricName: `${name}_bucket`,
    labels: { kind, le },
    value,
  });
  return [
    ...bounds.map((bound, index) => bucket(bound, counts[index] ?? total)),
    bucket('+Inf', total),
    { metricName: `${name}_sum`, labels: { kind }, value: sumSeconds },
    { metricName: `${name}_count`, labels: { kind }, value: total },
  ];
}
