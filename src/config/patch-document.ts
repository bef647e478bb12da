import { applyPatch, type Operation } from 'rfc6902';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.js';
import { isMapping, valueAt } from './mapping.js';
import { formatPath, type PathStep, type ProblemList } from './problems.js';
import type { SourceDocument } from './source-document.js';
import { MAX_DEPTH } from './yaml-reader.js';

/** A patch of a host document, as an annotation of its manifest has it. */
export interface WrittenPatch {
  readonly key: string;
  readonly text: string;
  /** Where the annotation stands. */
  readonly document: SourceDocument;
}

const MAX_OPERATIONS = 256;
/** Each may double the document. */
const MAX_COPIES = 8;
const MAX_CHARS = 65_536;
const pointer = z.string().regex(/^(\/(?!__proto__)[^/]*)+$/);
const value = z.unknown().refine((given) => given !== undefined);
const operations = z
  .array(
    z.discriminatedUnion('op', [
      z.strictObject({ op: z.literal('add'), path: pointer, value }),
      z.strictObject({ op: z.literal('replace'), path: pointer, value }),
      z.strictObject({ op: z.literal('test'), path: pointer, value }),
      z.strictObject({ op: z.literal('remove'), path: pointer }),
      z.strictObject({ op: z.literal('move'), from: pointer, path: pointer }),
      z.strictObject({ op: z.literal('copy'), from: pointer, path: pointer }),
    ]),
  )
  .max(MAX_OPERATIONS)
  .refine((list) => list.filter(({ op }) => op === 'copy').length <= MAX_COPIES);
const mergePatch = z.record(z.string(), z.unknown());

/** What says which VM it is, and must stay as the document has it. */
const IDENTITY: Readonly<Record<string, (document: unknown) => unknown>> = {
  apiVersion: (document) => valueAt(document, ['apiVersion']),
  kind: (document) => valueAt(document, ['kind']),
  metadata: (document) => valueAt(document, ['metadata']),
  'spec.uuid': (document) => valueAt(document, ['spec', 'uuid']),
  'the driver in spec.hypervisor': (document) => Object.keys(valueAt(document, ['spec', 'hypervisor']) ?? {}),
  'adopt in spec.hypervisor': (document) => drivers(document).map((driver) => valueAt(driver, ['adopt'])),
  'mark in spec.hypervisor': (document) => drivers(document).map((driver) => valueAt(driver, ['mark'])),
  'the path of a disk': (document) => drivers(document).map((driver) => pathsOf(valueAt(driver, ['disks']))),
};

/**
 * The host document as the patch changes it: an object is a merge patch (RFC 7396), a list a JSON patch (RFC 6902), of
 * the whole document. What it changed stands, for messages, where the annotation does. Undefined, with a problem, for
 * a patch that cannot be applied or would make it another VM.
 */
export function patchDocument(
  host: SourceDocument,
  patch: WrittenPatch,
  problems: ProblemList,
): SourceDocument | undefined {
  const path = ['metadata', 'annotations', patch.key];
  const place = patch.document.placeOf(path);
  const refuse = (message: string) => {
    problems.add(place, path, message);
    return undefined;
  };
  const changed = apply(host.value, patch.text);
  if ('problem' in changed) return refuse(changed.problem);
  const { value } = changed;
  for (const [what, read] of Object.entries(IDENTITY)) {
    if (same(read(host.value), read(value))) continue;
    return refuse(`changes ${what}, which says which VM it is; change the document itself`);
  }
  const isChanged = (steps: readonly PathStep[]) => !same(valueAt(host.value, steps), valueAt(value, steps));
  return {
    ...host,
    value,
    placeOf: (steps) => (isChanged(steps) ? place : host.placeOf(steps)),
    placeOfKey: (steps) => (isChanged(steps) ? place : host.placeOfKey(steps)),
  };
}

function apply(target: unknown, text: string): { readonly value: unknown } | { readonly problem: string } {
  // Deep recursion ends the process: text is measured before anything walks what it says.
  if (text.length > MAX_CHARS || bracketDepth(text) > MAX_DEPTH)
    return { problem: `is too large or nested deeper than ${MAX_DEPTH} levels; change the document itself` };
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON; write a merge patch {"spec": {…}} or a list of JSON patch operations' };
  }
  if (!Array.isArray(patch)) {
    const merge = mergePatch.safeParse(patch);
    if (merge.success) return { value: mergeInto(target, merge.data) };
    return { problem: 'is neither an object nor a list; write a merge patch or a list of operations' };
  }
  const checked = operations.safeParse(patch);
  if (!checked.success) {
    const at = formatPath(checked.error.issues[0]?.path.filter((step) => typeof step !== 'symbol') ?? []);
    return { problem: `is no JSON patch at ${at}; write operations as RFC 6902 has them` };
  }
  const list: readonly Operation[] = checked.data;
  const result: unknown = structuredClone(target);
  const errors = applyPatch(result, [...list]);
  const failed = errors.findIndex((error) => error !== null);
  if (failed < 0) return { value: result };
  const { op, path } = list[failed] ?? {};
  return { problem: `cannot be applied: operation ${failed} (${op} ${path}) does not fit; correct its path` };
}

/** Brackets in texts count, too, so it may be more than it is. */
function bracketDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const char of text) {
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** RFC 7396: mappings are merged, null removes, anything else replaces. */
function mergeInto(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged = new Map<string, unknown>(isMapping(target) ? Object.entries(target) : []);
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) merged.delete(name);
    else merged.set(name, mergeInto(merged.get(name), change));
  }
  // As own members, whatever their names are.
  return Object.fromEntries(merged);
}

/** The mappings of the drivers that it names. */
function drivers(document: unknown): readonly unknown[] {
  return Object.values(valueAt(document, ['spec', 'hypervisor']) ?? {});
}

function pathsOf(disks: unknown): unknown {
  return Array.isArray(disks) ? disks.map((disk) => valueAt(disk, ['path'])) : undefined;
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
