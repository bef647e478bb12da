import type { RecoverySpec } from '../model/vm.js';
import { isMapping, leavesOf } from './mapping.js';
import { mergeRecovery, recoveryConflicts, type WrittenRecovery } from './recovery-schema.js';
import type { SourceDocument } from './source-document.js';

/** What one document says of recovery. */
export interface RecoveryLayer {
  /** For a person, for example `RecoveryPolicy web (/etc/vmpulse/vms.d/policies.yaml)`. */
  readonly origin: string;
  readonly written: WrittenRecovery | undefined;
  readonly document: SourceDocument;
}

/** Path of a value in RecoverySpec, for example `backoff.baseMs`, and who said it. */
export type RecoveryOrigins = Readonly<Record<string, string>>;

export interface LaidRecovery {
  readonly recovery: RecoverySpec;
  /** Values that no layer said have no entry: they are the base's. */
  readonly origins: RecoveryOrigins;
}

/** Lays each document over what is below it; the last that says something wins. */
export function layRecovery(base: RecoverySpec, layers: readonly RecoveryLayer[]): LaidRecovery {
  let recovery = base;
  const origins: Record<string, string> = {};
  for (const { origin, written } of layers) {
    for (const path of saidBy(recovery, written)) origins[path] = origin;
    recovery = mergeRecovery(recovery, written);
  }
  return { recovery, origins };
}

/** What contradicts itself in a result, and the document to correct: the topmost that said the value. */
export function layeredConflicts(
  { recovery, origins }: LaidRecovery,
  layers: readonly RecoveryLayer[],
): readonly { readonly layer: RecoveryLayer; readonly below: readonly string[]; readonly message: string }[] {
  return recoveryConflicts(recovery).flatMap(([below, message]) => {
    const names = new Set(
      Object.entries(origins).flatMap(([path, origin]) => (isAt(path, below) ? origin : [])),
    );
    const layer = layers.findLast(({ origin }) => names.has(origin)) ?? layers.at(-1);
    return layer === undefined ? [] : [{ layer, below, message }];
  });
}

/** A written path such as `backoff.cap` is the effective `backoff.capMs`. */
export function isAt(path: string, below: readonly string[]): boolean {
  const written = below.join('.');
  return path === written || path === `${written}Ms`;
}

/**
 * Paths of the values that a layer decides. Laid over two bases that differ everywhere, it gives the same value for
 * these and no others; so this needs no list of options, and knows of values that follow from others.
 */
function saidBy(base: RecoverySpec, written: WrittenRecovery | undefined): string[] {
  const here = leaves(mergeRecovery(base, written));
  const there = leaves(mergeRecovery(otherwise(base), written));
  return [...here.keys()].filter((path) => here.get(path) === there.get(path));
}

function leaves(recovery: RecoverySpec): Map<string, string> {
  return new Map(leavesOf({ ...recovery }).map(([path, value]) => [path, JSON.stringify(value)]));
}

/** The same with every value another one. */
function otherwise<T extends object>(base: T): T {
  return Object.fromEntries(
    Object.entries(base).map(([key, item]: [string, unknown]) => [key, otherValue(item)]),
  ) as T;
}

function otherValue(item: unknown): unknown {
  if (typeof item === 'number') return item + 1;
  if (typeof item === 'boolean') return !item;
  if (typeof item === 'string') return `${item}, otherwise`;
  if (Array.isArray(item)) return [...item, 'otherwise'];
  return isMapping(item) ? otherwise(item) : item;
}
