// The native engine, as a library user runs it, with nothing else in the process.
import { ProbeEngine } from '../../dist/engine/index.js';
import { targetOf } from '../targets.mjs';
import { serveFigures } from './serve-figures.mjs';

const { kind, targets, rate, port, reactor } = JSON.parse(process.argv[2]);
const engine = new ProbeEngine({ engine: 'native', reactor });
// Takes the engine's events, as any host program does, so that they do not pile up in it.
const events = (async () => {
  for await (const _batch of engine.transitions());
})();
const periodMs = (targets / rate) * 1000;
engine.add(Array.from({ length: targets }, (_, n) => targetOf(n, kind, port, periodMs)));
serveFigures(
  () => {
    const { outcomes, latenessMs, reactor } = engine.stats();
    const sum = (entries) => entries.reduce((total, { count }) => total + count, 0);
    const ok = sum(outcomes.filter(({ reason }) => reason === 'ok'));
    // Lateness is of the time since the question before.
    return { ok, failed: sum(outcomes) - ok, latenessMs, reactor };
  },
  async () => {
    await engine.close();
    await events;
  },
);
