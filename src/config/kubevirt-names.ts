import { unknownKeyMessage } from './explain-issue.js';
import { KUBEVIRT_TYPES } from './kubevirt-fields.js';
import type { PathStep, ProblemList } from './problems.js';
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

/** Where vmpulse's own fields live, so that one that strayed into a manifest is sent home. */
export interface OwnFields {
  /** Fields of `spec` of a VirtualMachineHost. */
  readonly host: ReadonlySet<string>;
  /** Fields of a probe. */
  readonly probe: ReadonlySet<string>;
}

/**
 * Compares the names in a manifest with KubeVirt's: unknown ones are problems. Returns the paths that KubeVirt knows
 * and vmpulse does not use, the topmost of each branch.
 */
export function checkNames(
  document: SourceDocument,
  used: FieldShape,
  own: OwnFields,
  problems: ProblemList,
): readonly Path[] {
  const unused: Path[] = [];
  const placeholders = new Set(document.placeholders.filter(({ isKey }) => isKey).map(({ text }) => text));

  const unknown = (path: Path, key: string, typeName: string, fields: ReadonlyMap<string, FieldType>) => {
    if (placeholders.has(key)) return;
    const isOwn =
      typeName === 'Probe'
        ? own.probe.has(key)
        : ['InstanceSpec', 'VirtualMachineSpec'].includes(typeName) && own.host.has(key);
    const message = isOwn
      ? "is vmpulse's own and no field of KubeVirt; write it in the VirtualMachineHost document"
      : unknownKeyMessage(
          key,
          [...fields.keys()],
          `KubeVirt's ${typeName === '{}' ? 'empty mapping' : typeName}`,
        );
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
      const insideShape = shape?.properties?.get(key);
      if (shape !== undefined && insideShape === undefined) unused.push(inside);
      const type = fields.get(key);
      if (type === undefined) continue;
      const items: readonly (readonly [unknown, Path])[] =
        type.isList && Array.isArray(member)
          ? member.map((item, index) => [item, [...inside, index]] as const)
          : [[member, inside]];
      for (const [item, itemPath] of items)
        visit(item, type.type, itemPath, type.isList ? insideShape?.each : insideShape);
    }
  };

  visit(document.value, 'VirtualMachine', [], used);
  return unused;
}
