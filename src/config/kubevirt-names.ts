import { unknownKeyMessage } from './explain-issue.js';
import { KUBEVIRT_TYPES } from './kubevirt-fields.js';
import { formatPath, type PathStep, type ProblemList } from './problems.js';
import type { FieldShape } from './schema-shape.js';
import type { SourceDocument } from './source-document.js';

type Path = readonly PathStep[];

/** What stands behind a field: a plain value or anything (undefined), or a type, perhaps a list of it. */
type FieldType = { readonly type: string; readonly isList: boolean } | undefined;

function parseFields(text: string): ReadonlyMap<string, FieldType> {
  return new Map(
    text.split(' ').map((entry): readonly [string, FieldType] => {
      const [name = '', type] = entry.split(':');
      if (type === undefined || type === '*') return [name, undefined];
      return [name, { type: type.replace('[]', ''), isList: type.endsWith('[]') }];
    }),
  );
}

const NO_FIELDS: ReadonlyMap<string, FieldType> = new Map();
const TYPES = new Map(Object.entries(KUBEVIRT_TYPES).map(([name, fields]) => [name, parseFields(fields)]));

/** What a probe of a manifest can have. */
export const KUBEVIRT_PROBE_FIELDS: ReadonlySet<string> = new Set(TYPES.get('Probe')?.keys());

/** Types whose fields a host document has under `spec`. */
const SPEC_TYPES: ReadonlySet<string> = new Set(['VirtualMachineSpec', 'InstanceSpec']);

/** Where vmpulse's own fields live, so that one that strayed into a manifest is sent home. */
export interface OwnFields {
  /** Fields of `spec` of a VirtualMachineHost. */
  readonly host: ReadonlySet<string>;
  /** Fields of a probe. */
  readonly probe: ReadonlySet<string>;
}

/** What the names of a manifest say. */
export interface NameCheck {
  /** Paths that KubeVirt knows and vmpulse does not use, the topmost of each branch. */
  readonly unused: readonly Path[];
  /** Names that KubeVirt does not know were found; `problems` has them. */
  readonly hasUnknown: boolean;
}

/** Members of a field with the type of each: one, or those of a list. */
function members(
  value: unknown,
  path: Path,
  isList: boolean,
): readonly (readonly [value: unknown, path: Path])[] {
  if (!isList) return [[value, path]];
  return Array.isArray(value) ? value.map((item: unknown, index) => [item, [...path, index]] as const) : [];
}

/** Of a mapping with free keys, those that vmpulse does not take: `requests.cpu` beside `requests.memory`. */
function unusedKeys(value: unknown, path: Path, shape: FieldShape | undefined): readonly Path[] {
  if (shape?.properties === undefined || typeof value !== 'object' || value === null) return [];
  return Object.keys(value).flatMap((key) => (shape.properties?.has(key) ? [] : [[...path, key]]));
}

/** Compares the names in a manifest with KubeVirt's. `used` is the shape of what vmpulse takes from it. */
export function checkNames(
  document: SourceDocument,
  used: FieldShape,
  own: OwnFields,
  problems: ProblemList,
): NameCheck {
  const unused: Path[] = [];
  let hasUnknown = false;
  const placeholders = new Set(
    document.placeholders.filter(({ isKey }) => isKey).map(({ path }) => formatPath(path)),
  );

  const unknown = (path: Path, key: string, typeName: string, fields: ReadonlyMap<string, FieldType>) => {
    if (placeholders.has(formatPath(path))) return;
    hasUnknown = true;
    const isOwn = typeName === 'Probe' ? own.probe.has(key) : SPEC_TYPES.has(typeName) && own.host.has(key);
    const of = `KubeVirt's ${typeName === '{}' ? 'empty mapping' : typeName}`;
    const message = isOwn
      ? "is vmpulse's own and no field of KubeVirt; write it in the VirtualMachineHost document"
      : unknownKeyMessage(key, [...fields.keys()], of);
    problems.add(document.placeOfKey(path), path, message);
  };

  const visit = (value: unknown, typeName: string, path: Path, shape: FieldShape | undefined) => {
    const fields = typeName === '{}' ? NO_FIELDS : TYPES.get(typeName);
    if (fields === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return;
    for (const [key, member] of Object.entries(value)) {
      const inside = [...path, key];
      if (!fields.has(key)) {
        unknown(inside, key, typeName, fields);
        continue;
      }
      const below = shape?.properties?.get(key);
      if (shape !== undefined && below === undefined) unused.push(inside);
      const type = fields.get(key);
      if (type === undefined) {
        unused.push(...unusedKeys(member, inside, below));
        continue;
      }
      for (const [item, itemPath] of members(member, inside, type.isList)) {
        visit(item, type.type, itemPath, type.isList ? below?.each : below);
      }
    }
  };

  visit(document.value, 'VirtualMachine', [], used);
  return { unused, hasUnknown };
}
