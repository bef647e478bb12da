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

/** A counter whose values are kept elsewhere. */
export function counter<L extends string>(
  { registers, read }: Making,
  name: string,
  help: string,
  labelNames: readonly L[],
  count: (reading: Reading, add: (labels: Partial<Record<L, string>>, value: number) => void) => void,
): void {
  new Counter<L>({
    name,
    help,
    labelNames,
    registers,
    collect() {
      this.reset();
      const reading = read();
      if (reading) count(reading, (labels, value) => this.inc(labels, value));
    },
  });
}

/** A gauge that is read when asked for; labels that are not set again are gone. */
export function gauge<L extends string>(
  { registers, read }: Making,
  name: string,
  help: string,
  labelNames: readonly L[],
  measure: (reading: Reading, set: (labels: Partial<Record<L, string>>, value: number) => void) => void,
): void {
  new Gauge<L>({
    name,
    help,
    labelNames,
    registers,
    collect() {
      this.reset();
      const reading = read();
      if (reading) measure(reading, (labels, value) => this.set(labels, value));
    },
  });
}
