import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { MetricFamily, Sample } from '../../runtime/metrics/exposition.js';

/** Only what is told of these VMs; all where none is named. Throws ERR_VMPULSE_VM_UNKNOWN for one of which nothing is. */
export function metricsOfVms(
  families: readonly MetricFamily[],
  vms: readonly string[],
): readonly MetricFamily[] {
  if (vms.length === 0) return families;
  const seen = new Set<string>();
  const isWanted = (sample: Sample) => {
    const id = vmOf(sample);
    const named = id === undefined ? undefined : vms.find((vm) => id === vm || id.endsWith(`/${vm}`));
    if (named !== undefined) seen.add(named);
    return named !== undefined;
  };
  const kept = families
    .map((family) => ({ ...family, samples: family.samples.filter(isWanted) }))
    .filter(({ samples }) => samples.length > 0);
  const unknown = vms.find((vm) => !seen.has(vm));
  if (unknown === undefined) return kept;
  throw new VmpulseError(
    'ERR_VMPULSE_VM_UNKNOWN',
    `there are no metrics of a VM ${plainText(unknown)}; vmpulse status lists the VMs`,
  );
}

function vmOf({ labels }: Sample): string | undefined {
  const name = labels.vm ?? (labels.kind === 'VirtualMachine' ? labels.name : undefined);
  return name === undefined ? undefined : `${labels.namespace ?? ''}/${name}`;
}

/** As `--format json` prints them. What JSON has no number for is told as text. */
export function metricsJson(families: readonly MetricFamily[]): { readonly metrics: readonly unknown[] } {
  return {
    metrics: families.map(({ name, type, help, samples }) => ({
      ...{ name, type, help },
      samples: samples.map((sample) => ({
        ...(sample.name === name ? {} : { name: sample.name }),
        labels: sample.labels,
        value: Number.isFinite(sample.value) ? sample.value : String(sample.value),
      })),
    })),
  };
}
