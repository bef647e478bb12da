// Draws the pictures of docs/internals/policy from the tables in the code. Run `npm run diagrams` after a change of them.
import { writeFileSync } from 'node:fs';
import { HEALTH_BY } from '../dist/policy/health.js';
import { LADDERS } from '../dist/policy/ladders.js';
import { healthDiagram, ladderDiagram } from './lib/diagrams.mjs';

const PICTURES = { 'health.svg': healthDiagram(HEALTH_BY), 'ladders.svg': ladderDiagram(LADDERS) };
for (const [name, text] of Object.entries(PICTURES)) {
  writeFileSync(new URL(`../docs/internals/policy/${name}`, import.meta.url), text);
}
