import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { healthDiagram, ladderDiagram } from '../../../scripts/lib/diagrams.mjs';
import { assess } from '../../../src/policy/assess.js';
import { HEALTH_BY, healthKey } from '../../../src/policy/health.js';
import { ladderFor } from '../../../src/policy/ladder.js';
import { LADDERS } from '../../../src/policy/ladders.js';
import { CONCLUDED } from '../../../src/policy/rules.js';
import { begin, moves, perform } from './moves.js';

const picture = (name: string) =>
  readFileSync(new URL(`../../../docs/internals/policy/${name}`, import.meta.url), 'utf8');

describe('the pictures', () => {
  it.each([
    ['health.svg', healthDiagram(HEALTH_BY)],
    ['ladders.svg', ladderDiagram(LADDERS)],
  ])('%s is up to date; npm run diagrams draws it again', (name, drawn) => {
    expect(picture(name)).toBe(drawn);
  });

  it('have a ladder for every diagnosis, and the policy climbs it', () => {
    expect([...new Set(LADDERS.map(({ kind }) => kind))].sort()).toEqual([...CONCLUDED].sort());
    for (const { kind, cause, steps } of LADDERS) {
      expect(ladderFor({ kind, cause: cause ?? 'many-at-once' }).steps).toEqual(steps);
    }
  });

  it('show every state that a VM can have, whatever happens to it', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const s = begin();
        for (const move of list) {
          perform(s, move);
          s.send({ type: 'gathering', gathering: false });
          for (const vm of s.state.vms.values()) {
            if (vm.spec === null) continue;
            const key = healthKey(vm, assess(vm, s.now));
            if (key !== 'unknown') expect(HEALTH_BY[key].states, key).toContain(vm.health);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
