import { Counter, Gauge, type PrometheusContentType, type Registry } from 'prom-client';
import type { EngineStats } from '../../engine/probe-engine.js';
import type { HostFigures } from '../views.js';

export interface Reading {
  readonly stats: EngineStats;
  readonly view: HostFigures;
}

export type Read = () => Reading | undefined;

/** What every metric below is made with. */
export interface Making {
  readonly registers: Registry<PrometheusContentType>[];
  readonly read: Read;
}

/** What a metric measures, sample by sample. */
type Measure<L extends string> = (
  reading: Reading,
  tell: (labels: Partial<Record<L, string>>, value: number) => void,
) => void;

/** A counter whose values are kept elsewhere. */
export function counter<L extends string>(
  making: Making,
  name: string,
  help: string,
  labelNames: readonly L[],
  measure: Measure<L>,
): void {
  const { registers } = making;
  const collect = function (this: Counter<L>) {
    measureAnew(making, this, measure, (labels, value) => this.inc(labels, value));
  };
  new Counter<L>({ name, help, labelNames, registers, collect });
}

/** A gauge that is read when asked for; labels that are not set again are gone. */
export function gauge<L extends string>(
  making: Making,
  name: string,
  help: string,
  labelNames: readonly L[],
  measure: Measure<L>,
): void {
  const { registers } = making;
  const collect = function (this: Gauge<L>) {
    measureAnew(making, this, measure, (labels, value) => this.set(labels, value));
  };
  new Gauge<L>({ name, help, labelNames, registers, collect });
}

function measureAnew<L extends string>(
  { read }: Making,
  metric: { reset(): void },
  measure: Measure<L>,
  tell: Parameters<Measure<L>>[1],
): void {
  metric.reset();
  const reading = read();
  if (reading) measure(reading, tell);
}
