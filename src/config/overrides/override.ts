import { join } from 'node:path';
import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import { plainText } from '../../model/plain-text.js';
import type { VmId } from '../../model/vm.js';
import type { Place, ProblemList } from '../problems.js';
import { readSourceFile } from '../read-sources.js';

/** A value that somebody set while the daemon runs, in place of what the files say. */
export interface Override {
  /** The VM whose document it changes; null: the daemon's configuration. */
  readonly vm: VmId | null;
  /** For example `recovery.enabled`; of a VM below `spec`, where a probe stands under its name: `probes.web.timeoutMs`. */
  readonly path: string;
  /** Plain JSON; null: as if nothing were written there. */
  readonly value: unknown;
  readonly author: string;
  /** Empty: none was given. */
  readonly reason: string;
  /** Wall-clock ms at which it was set. */
  readonly atMs: number;
  /** Wall-clock ms at which it ends by itself; null: never. */
  readonly untilMs: number | null;
}

/** One that does not fit what the files say now. */
export interface SetAside {
  readonly override: Override;
  /** What is wrong, as `path: what is wrong; remedy`, one a line. */
  readonly why: string;
}

/** What has become of each. */
export interface OverrideState {
  readonly inForce: readonly Override[];
  readonly setAside: readonly SetAside[];
  /** For VMs that no document defines. */
  readonly idle: readonly Override[];
}

const VERSION = 1;
const PATH = /^(?!(?:.*\.)?__proto__(?:\.|$))[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,15}$/;
const MISSING = 'is not there';

export const overridePathField = z
  .string()
  .regex(PATH, 'is no path; write names with dots between them, such as recovery.enabled');

const overrideSchema = z.strictObject({
  vm: z.string().nullable(),
  path: overridePathField,
  value: z.unknown().refine((value) => value !== undefined, 'is missing'),
  author: z.string(),
  reason: z.string(),
  atMs: z.number(),
  untilMs: z.number().nullable(),
});

const fileSchema = z.strictObject({ version: z.literal(VERSION), overrides: z.array(overrideSchema) });

/** Where they are kept. */
export function overridesPath(stateDir: string): string {
  return join(stateDir, 'overrides.json');
}

/** The text of the file: JSON, with one of them a line, so that messages can name the line. */
export function overridesText(overrides: readonly Override[]): string {
  const lines = overrides.map((each) => JSON.stringify(each)).join(',\n');
  return `{"version":${VERSION},"overrides":[\n${lines}\n]}\n`;
}

/** Those of the file that have not ended, in the order in which they were set. What is wrong goes to `problems`. */
export async function readOverrides(
  stateDir: string,
  nowMs: number,
  deadline: Deadline,
  problems: ProblemList,
): Promise<readonly Override[]> {
  const path = overridesPath(stateDir);
  const file = await readSourceFile(path, deadline, MISSING);
  const refuse = (what: string) => {
    const remedy = 'put a copy of it back, or remove it and go on without what was set at run time';
    problems.add({ file: path, line: 1, column: 1 }, [], `${what}; ${remedy}`);
    return [];
  };
  if ('problem' in file) return file.problem === MISSING ? [] : refuse(file.problem);
  let value: unknown;
  try {
    value = JSON.parse(file.text);
  } catch {
    return refuse('is not JSON');
  }
  const checked = fileSchema.safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return refuse(`does not fit at ${issue?.path.join('.') || 'the top'} (${issue?.message})`);
  }
  return checked.data.overrides.filter(({ untilMs }) => untilMs === null || untilMs > nowMs);
}

/** Names it in messages: whose, what, by whom. */
export function placeOfOverride({ vm, path, author }: Override): Place {
  return {
    file: `override ${vm === null ? '' : `${vm} `}${path} by ${plainText(author, 128)}`,
    line: 0,
    column: 0,
  };
}

/** Who set it and until when, for a person. */
export function overrideOrigin({ author, untilMs }: Override): string {
  const until = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return `override by ${plainText(author, 128)}${until}`;
}

export function isAtOrBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}.`);
}
