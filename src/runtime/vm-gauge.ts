import { Gauge } from 'prom-client';
import type { VmId } from '../model/vm.js';
import { type Making, vmLabels } from './metric-makers.js';
import type { VmFigures } from './views.js';

/** A value of a gauge. `sharedLabels` is the very object of `labels`: prom-client keeps the text of such a one. */
interface Sample {
  readonly labels: Partial<Record<string, string>>;
  readonly sharedLabels: Partial<Record<string, string>>;
  readonly value: number;
}

interface VmGaugeOptions {
  readonly name: string;
  readonly help: string;
  /** A further label beside `namespace` and `vm`. */
  readonly label?: string;
  /** Tells the values of one VM; `further` is that of the further label. */
  readonly measure: (vm: VmFigures, set: (value: number, further?: string) => void) => void;
}

/**
 * A gauge of each VM. A host has thousands of them and few change between two scrapes, so the labels of each are made,
 * escaped and joined once, and no value is stored.
 */
class VmGauge extends Gauge<string> {
  readonly #options: VmGaugeOptions;
  readonly #read: Making['read'];
  /** By VM and value of the further label. */
  #labels = new Map<string, Partial<Record<string, string>>>();

  constructor({ registers, read }: Making, options: VmGaugeOptions) {
    const labelNames = ['namespace', 'vm', ...(options.label === undefined ? [] : [options.label])];
    super({ name: options.name, help: options.help, labelNames, registers });
    this.#options = options;
    this.#read = read;
  }

  /** What prom-client renders. */
  override async get(): ReturnType<Gauge<string>['get']> {
    const { name, help, measure } = this.#options;
    const values: Sample[] = [];
    // Those of VMs that are gone are not taken along.
    const labelsNow = new Map<string, Partial<Record<string, string>>>();
    for (const vm of this.#read()?.view.vms ?? []) {
      measure(vm, (value, further = '') => {
        const key = `${vm.id} ${further}`;
        const labels = this.#labels.get(key) ?? this.#labelsOf(vm.id, further);
        labelsNow.set(key, labels);
        values.push({ labels, sharedLabels: labels, value });
      });
    }
    this.#labels = labelsNow;
    const described = await super.get();
    return { ...described, name, help, values };
  }

  #labelsOf(vm: VmId, further: string): Partial<Record<string, string>> {
    const { label } = this.#options;
    return { ...vmLabels(vm), ...(label === undefined ? {} : { [label]: further }) };
  }
}

/** Makes and registers one. */
export function vmGauge(making: Making, options: VmGaugeOptions): void {
  new VmGauge(making, options);
}
