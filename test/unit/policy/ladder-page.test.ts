import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LADDER_STEPS } from '../../../src/model/action.js';
import { DIAGNOSIS_CAUSES } from '../../../src/model/health.js';
import { ladderFor } from '../../../src/policy/ladder.js';
import { LADDERS } from '../../../src/policy/ladders.js';
import { CONCLUDED } from '../../../src/policy/rules.js';

const page = readFileSync(new URL('../../../docs/reference/policy.md', import.meta.url), 'utf8');

/** Steps that a text names, in its order. */
function stepsIn(text: string): readonly string[] {
  const names = [...LADDER_STEPS].sort((a, b) => b.length - a.length).join('|');
  return [...text.matchAll(new RegExp(`(?<![a-z-])(?:${names})(?![a-z-])`, 'g'))].map(([step]) => step);
}

/** Rows of the table of diagnoses that name a step. */
const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, , diagnosis = '', ladder = '']) => ({ diagnosis, steps: stepsIn(ladder) }))
  .filter(({ diagnosis, steps }) => /^`[a-z-]+` \(`/.test(diagnosis) && steps.length > 0)
  .flatMap(({ diagnosis, steps }) => {
    const [kind, ...causes] = [...diagnosis.matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name);
    return causes.map((cause) => ({ kind, cause, steps }));
  });

it.each(rows)('docs/reference/policy.md gives the ladder of $kind ($cause)', ({ kind, cause, steps }) => {
  const known = CONCLUDED.find((one) => one === kind);
  const why = DIAGNOSIS_CAUSES.find((one) => one === cause);
  if (known === undefined || why === undefined) throw new Error(`there is no ${kind} (${cause})`);
  expect(steps).toEqual(ladderFor({ kind: known, cause: why }).steps);
});

it('docs/reference/policy.md leaves no ladder out', () => {
  for (const { kind, cause, steps } of LADDERS) {
    const told = rows.some((row) => row.kind === kind && (cause === null || row.cause === cause));
    expect({ kind, cause, told }).toEqual({ kind, cause, told: steps.length > 0 });
  }
});
