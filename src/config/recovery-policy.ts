import { z } from 'zod';
import { matchesGlob } from '../model/glob.js';
import { countField, textField } from '../probes/fields.js';
import { checkDocument } from './check-document.js';
import { vmNameField } from './fields.js';
import type { ProblemList } from './problems.js';
import type { RecoveryLayer } from './recovery-layers.js';
import { vmRecoverySchema } from './recovery-schema.js';
import type { SourceDocument } from './source-document.js';

const patternField = textField({ unit: 'name pattern', example: 'web-*' }, (text) =>
  /^[a-z0-9.*?-]+(\/[a-z0-9.*?-]+)?$/.test(text)
    ? undefined
    : `is not a name pattern ("${text}"); write name or namespace/name with * and ? where anything may stand`,
);

/** The document that says how VMs which it selects are recovered. */
export const recoveryPolicySchema = z.strictObject({
  apiVersion: z.literal('vmpulse.dev/v1'),
  kind: z.literal('RecoveryPolicy'),
  metadata: z.strictObject({ name: vmNameField }),
  spec: z.strictObject({
    selector: z
      .strictObject({
        matchLabels: z
          .record(z.string(), z.string())
          .meta({ unit: 'mapping of labels', example: '{app: web}' })
          .optional(),
        names: z
          .array(patternField)
          .min(1)
          .max(256)
          .meta({ unit: 'list of patterns', example: '[web-*]' })
          .optional(),
      })
      .refine(
        ({ matchLabels, names }) => matchLabels !== undefined || names !== undefined,
        "selects nothing; write matchLabels or names, names: ['*'] for all VMs",
      ),
    priority: countField({ unit: 'count', example: '0' }, 0, 1_000_000).optional(),
    recovery: vmRecoverySchema,
  }),
});

type Selector = z.output<typeof recoveryPolicySchema>['spec']['selector'];

/** A policy as it was written. */
export interface RecoveryPolicy extends RecoveryLayer {
  readonly name: string;
  readonly document: SourceDocument;
  /** Of two policies that say the same, that of the higher priority counts; among equals the later name. */
  readonly priority: number;
  readonly selects: (vm: SelectedBy) => boolean;
  /** What a VM is like that it selects. */
  readonly example: SelectedBy;
}

/** What a policy selects by. */
export interface SelectedBy {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Reads a `vmpulse.dev/v1 RecoveryPolicy`. */
export function readRecoveryPolicy(
  document: SourceDocument,
  problems: ProblemList,
): RecoveryPolicy | undefined {
  const written = checkDocument(document, recoveryPolicySchema, 'RecoveryPolicy', problems);
  if (written === undefined) return undefined;
  const { metadata, spec } = written;
  return {
    name: metadata.name,
    document,
    origin: `RecoveryPolicy ${metadata.name} (${document.file})`,
    written: spec.recovery,
    priority: spec.priority ?? 0,
    selects: (vm) => selects(spec.selector, vm),
    example: exampleOf(spec.selector),
  };
}

/** All labels, and one of the names. */
function selects({ matchLabels = {}, names }: Selector, vm: SelectedBy): boolean {
  const labelled = Object.entries(matchLabels).every(([key, value]) => vm.labels[key] === value);
  return labelled && (names === undefined || names.some((pattern) => isNamed(pattern, vm)));
}

function exampleOf({ matchLabels = {}, names: [pattern = '*'] = [] }: Selector): SelectedBy {
  const filled = pattern.split('/').map((part) => part.replaceAll('*', '').replaceAll('?', 'x') || 'x');
  const [namespace, name] = filled.length === 1 ? ['default', ...filled] : filled;
  return { namespace: namespace ?? 'x', name: name ?? 'x', labels: matchLabels };
}

function isNamed(pattern: string, { namespace, name }: SelectedBy): boolean {
  return matchesGlob(pattern, pattern.includes('/') ? `${namespace}/${name}` : name);
}

/** The order in which they are laid over each other. */
export function inOrder(policies: Iterable<RecoveryPolicy>): RecoveryPolicy[] {
  return [...policies].sort((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1));
}
