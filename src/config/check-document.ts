import type { z } from 'zod';
import { explainIssue, remedyFor } from './explain-issue.js';
import type { PathStep, ProblemList } from './problems.js';
import { shapeAt, shapeOf } from './schema-shape.js';
import type { Placeholder, SourceDocument } from './source-document.js';

type Path = readonly PathStep[];

function startsWith(path: Path, prefix: Path): boolean {
  return prefix.every((step, index) => path[index] === step);
}

/** An issue that is only there because something was not filled in yet. */
function isConsequence(path: Path, placeholder: Placeholder): boolean {
  if (startsWith(path, placeholder.path)) return true;
  const parent = placeholder.path.slice(0, -1);
  return placeholder.isKey && path.length === parent.length && startsWith(path, parent);
}

function placeholderMessage({ text, path, isKey }: Placeholder, root: ReturnType<typeof shapeOf>): string {
  if (!isKey) return `is still the placeholder ${text}; ${remedyFor(shapeAt(root, path))}`;
  const parent = shapeAt(root, path.slice(0, -1));
  return `is still the placeholder ${text}; ${parent?.keyChoices ?? remedyFor(parent)}`;
}

/** Issues that say something new: what follows from an unknown key at the same place does not. */
function withoutConsequences(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const unknown = issues
    .filter(({ code }) => code === 'unrecognized_keys')
    .map(({ path }) => path.join('\0'));
  return issues.filter(({ code, path }) => code !== 'custom' || !unknown.includes(path.join('\0')));
}

/**
 * Validates a document. Everything that is wrong goes to `problems`, with its place; then the result is undefined.
 * `unknownKeys: 'checked'` says that names have been looked at already. `documentName` names the document in messages, for example `VirtualMachineHost`.
 */
export function checkDocument<T>(
  document: SourceDocument,
  schema: z.ZodType<T>,
  documentName: string,
  problems: ProblemList,
  unknownKeys: 'refuse' | 'checked' = 'refuse',
): T | undefined {
  const root = shapeOf(schema);
  for (const placeholder of document.placeholders) {
    problems.add(placeholder.place, placeholder.path, placeholderMessage(placeholder, root));
  }
  const result = schema.safeParse(document.value, { reportInput: true });
  if (result.success) return document.placeholders.length === 0 ? result.data : undefined;
  for (const issue of withoutConsequences(result.error.issues)) {
    if (issue.code === 'unrecognized_keys' && unknownKeys === 'checked') continue;
    for (const { path, isKey, message } of explainIssue(issue, root, documentName)) {
      if (document.placeholders.some((placeholder) => isConsequence(path, placeholder))) continue;
      problems.add(isKey ? document.placeOfKey(path) : document.placeOf(path), path, message);
    }
  }
  return undefined;
}
