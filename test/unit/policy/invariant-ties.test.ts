import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { INVARIANTS, type Invariant } from '../../../src/policy/invariant-list.js';
import { LIVE_STEPS } from '../recovery/live-steps.js';
import { STEP_PROPERTIES } from '../recovery/step-properties.js';
import { CANARIES } from '../sim/canaries.js';
import { BROKEN } from './broken.js';
import { PROPERTIES } from './properties.js';

const IDS = Object.keys(INVARIANTS) as Invariant[];

/** Each of these lists is run by a test of its own; here is only seen that none of them leaves an invariant out. */
const asserted = new Set([...BROKEN.map(([, id]) => id), ...LIVE_STEPS.map(({ breaks }) => breaks)]);
const proven = new Set([...PROPERTIES, ...STEP_PROPERTIES].flatMap(({ proves }) => proves));
const simulated = new Set(CANARIES.flatMap(({ breaks }) => breaks ?? []));

describe('every invariant', () => {
  it.each(IDS)('%s is asserted in the daemon, has a property, and a canary that must be caught', (id) => {
    const ties = { asserted: asserted.has(id), proven: proven.has(id), simulated: simulated.has(id) };
    expect(ties).toEqual({ asserted: true, proven: true, simulated: true });
  });

  it('is told of in the internals, as the code says it', () => {
    const page = readFileSync(
      new URL('../../../docs/internals/policy/invariants.md', import.meta.url),
      'utf8',
    );
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.map((row) => row.split('`')[1])).toEqual(IDS);
    for (const [id, sentence] of Object.entries(INVARIANTS))
      expect(page).toContain(`| \`${id}\` | ${sentence} |`);
  });
});
