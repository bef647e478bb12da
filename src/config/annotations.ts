import type { VmMode } from '../model/vm.js';
import type { WrittenPatch } from './patch-document.js';
import { formatPlace, type ProblemList } from './problems.js';
import type { SourceDocument } from './source-document.js';
import { closest } from './suggest.js';

/** Whose annotations steer vmpulse: its own, and those that KubeVirt's platform tools use. */
const PREFIXES = ['vmpulse.dev/', 'platform.kubevirt.io/'] as const;

const NAMES = ['mode', 'reconcile-paused', 'patch', 'ignore-fields', 'ignore', 'force-reconcile'] as const;

/** It is kept with the state of the VM. */
const MAX_FORCE_CHARS = 256;

type Name = (typeof NAMES)[number];

/** One annotation as it was written. */
interface Written {
  readonly key: string;
  readonly text: string;
}

/** What the annotations of a manifest say of how the VM is treated. */
export interface Steering {
  readonly mode: VmMode | undefined;
  readonly patch: WrittenPatch | undefined;
  readonly forceReconcile: string | undefined;
  /** Paths that are not compared. */
  readonly ignoredFields: readonly string[];
}

/** Reads the annotations that steer vmpulse; the other ones are nobody's business here. */
export function readSteering(
  annotations: Readonly<Record<string, string>>,
  document: SourceDocument,
  problems: ProblemList,
): Steering {
  const pathOf = (key: string) => ['metadata', 'annotations', key];
  const refuse = (key: string, message: string) =>
    problems.add(document.placeOf(pathOf(key)), pathOf(key), message);
  for (const key of Object.keys(annotations)) {
    const [own] = PREFIXES;
    const name = key.slice(own.length);
    if (!key.startsWith(own) || NAMES.some((known) => known === name)) continue;
    const near = closest(name, NAMES);
    const hint = near === undefined ? 'remove it' : `did you mean "${own}${near}"?`;
    const message = `is no annotation that vmpulse knows; ${hint}`;
    problems.warn(document.placeOfKey(pathOf(key)), pathOf(key), message);
  }
  /** What stands under either prefix; both may say the same. */
  const written = (name: Name): Written | undefined => {
    const found = PREFIXES.flatMap((prefix) => {
      const text = annotations[prefix + name];
      return text === undefined ? [] : [{ key: prefix + name, text }];
    });
    const [first, second] = found;
    if (first !== undefined && second !== undefined && first.text !== second.text) {
      const place = formatPlace(document.placeOf(pathOf(first.key)));
      refuse(second.key, `says something else than ${first.key} at ${place}; keep one of them`);
    }
    return first;
  };
  const patch = written('patch');
  return {
    mode: modeOf(written('reconcile-paused'), written('mode'), refuse),
    patch: patch && { ...patch, document },
    forceReconcile: written('force-reconcile')?.text.slice(0, MAX_FORCE_CHARS),
    ignoredFields: ignoredBy([written('ignore-fields'), written('ignore')], refuse),
  };
}

/** A pause goes before what the mode says: it does less. */
function modeOf(
  paused: Written | undefined,
  mode: Written | undefined,
  refuse: (key: string, message: string) => void,
): VmMode | undefined {
  if (mode !== undefined && mode.text !== 'managed' && mode.text !== 'unmanaged')
    refuse(mode.key, `"${mode.text}" is no mode; write managed or unmanaged`);
  if (paused !== undefined && paused.text !== 'false') {
    const why = paused.text === 'true' || paused.text === '' ? '' : `: ${paused.text}`;
    return { kind: 'paused', reason: `${paused.key}${why}` };
  }
  return mode?.text === 'unmanaged' ? { kind: 'unmanaged', reason: `${mode.key}: unmanaged` } : undefined;
}

const COMPARED = /^(runStrategy|uuid|hypervisor(\.[A-Za-z]+(\[\d+\])?)*|probes\.[a-z0-9-]+)$/;

/** Paths, with commas between them, as the VM's `drift` shows them. */
function ignoredBy(
  annotations: readonly (Written | undefined)[],
  refuse: (key: string, message: string) => void,
): readonly string[] {
  return annotations.flatMap((written) => {
    if (written === undefined) return [];
    const paths = written.text.split(',').map((path) => path.trim());
    const wrong = paths.find((path) => !COMPARED.test(path));
    if (wrong !== undefined)
      refuse(
        written.key,
        `"${wrong}" is nothing that is compared; write runStrategy, uuid, hypervisor or a path below it, or probes.NAME`,
      );
    return paths;
  });
}
