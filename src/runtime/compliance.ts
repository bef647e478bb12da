import type { VmSpec } from '../model/vm.js';
import type { Degradation } from './views.js';

/** Whether what runs is what the documents say. */
export interface Compliance {
  readonly compliant: boolean;
  /** What differs: `runStrategy`, `probes.NAME`, or the path of a setting of the VM's machine, for example `hypervisor.memoryMiB`. */
  readonly drift: readonly string[];
}

/** What runs of a VM. */
export interface Running {
  readonly isRunning: boolean;
  /** Paths of the machine that differ. */
  readonly machineDrift: readonly string[];
  readonly degradations: readonly Degradation[];
}

const COMPLIANT: Compliance = { compliant: true, drift: [] };

/** Compares a VM's documents with what runs of it. */
export function complianceOf(spec: VmSpec, running: Running): Compliance {
  const { isRunning, machineDrift, degradations } = running;
  const follows = followsRunStrategy(spec, isRunning);
  // Nearly every VM, at every scrape.
  if (follows && machineDrift.length === 0 && degradations.length === 0) return COMPLIANT;
  const drift = [
    ...(follows ? [] : ['runStrategy']),
    ...machineDrift,
    ...probesLeftOut(spec, degradations),
  ].filter((path) => !isIgnored(spec, path));
  return { compliant: drift.length === 0, drift };
}

/** Only two of them say what should be at any time; the others depend on how the VM ended. */
function followsRunStrategy({ runStrategy }: VmSpec, isRunning: boolean): boolean {
  if (runStrategy === 'Always') return isRunning;
  return runStrategy !== 'Halted' || !isRunning;
}

function probesLeftOut({ id }: VmSpec, degradations: readonly Degradation[]): string[] {
  const prefix = `probe/${id}/`;
  return degradations.flatMap(({ what }) =>
    what.startsWith(prefix) ? [`probes.${what.slice(prefix.length)}`] : [],
  );
}

/** Whether the VM may differ in this. */
export function isIgnored({ ignoredFields = [] }: VmSpec, path: string): boolean {
  return ignoredFields.some(
    (field) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`),
  );
}

const NONE: readonly string[] = [];

/** Ways in which a VM is treated otherwise than its documents alone would have it, by the annotation that says so. */
export function customizationsOf({ mode, patchedBy, ignoredFields }: VmSpec): readonly string[] {
  if (mode === undefined && patchedBy === undefined && ignoredFields === undefined) return NONE;
  return [
    ...(mode === undefined ? [] : [mode.kind === 'paused' ? 'reconcile-paused' : mode.kind]),
    ...(patchedBy === undefined ? [] : ['patch']),
    ...(ignoredFields === undefined ? [] : ['ignore-fields']),
  ];
}
