import { stringify } from 'yaml';
import type { ProblemList } from './problems.js';
import {
  parseDocuments,
  type SourceDocument,
  type SourceFile,
  type UnreadableFile,
} from './source-document.js';

const KINDS: ReadonlySet<string> = new Set(['VirtualMachine', 'VirtualMachineHost', 'RecoveryPolicy']);

/** A document under the name by which it is told from all others. */
export interface NamedDocument {
  /** `VirtualMachine default/web-1`, or `RecoveryPolicy careful`. */
  readonly key: string;
  readonly document: SourceDocument;
}

/** The documents of a file; those that have no name or are of no known kind are left to whoever compiles them. */
export function namedDocuments(file: SourceFile | UnreadableFile, problems: ProblemList): NamedDocument[] {
  return parseDocuments(file, problems).documents.flatMap((document) => {
    const key = keyOf(document.value);
    return key === undefined ? [] : [{ key, document }];
  });
}

/** The key of a VM's manifest and that of its host document. */
export function keysOfVm(id: string): readonly string[] {
  return [`VirtualMachine ${id}`, `VirtualMachineHost ${id}`];
}

/** A file of its own for a document; names have neither `/` nor `_`. */
export function fileNameOf(key: string): string {
  return `${key.replaceAll(/[ /]/g, '_')}.yaml`;
}

export function documentText(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function keyOf(value: unknown): string | undefined {
  const kind = textAt(value, 'kind');
  const metadata = memberOf(value, 'metadata');
  const name = textAt(metadata, 'name');
  if (kind === undefined || !KINDS.has(kind) || name === undefined) return undefined;
  if (kind === 'RecoveryPolicy') return `${kind} ${name}`;
  return `${kind} ${textAt(metadata, 'namespace') ?? 'default'}/${name}`;
}

function memberOf(value: unknown, member: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, member)) return undefined;
  return Object.entries(value).find(([key]) => key === member)?.[1];
}

function textAt(value: unknown, member: string): string | undefined {
  const text = memberOf(value, member);
  return typeof text === 'string' ? text : undefined;
}
