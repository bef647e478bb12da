// The native engine: registration and memory.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProbeEngine } from '../../dist/engine/index.js';
import { startResponder } from '../responder.mjs';
import { targetOf } from '../targets.mjs';

const DAY_MS = 86_400_000;
const IDLE_MS = 1000;
/** So that what the first garbage of a batch leaves is not taken for the engine's memory. */
const BATCH = 1000;

/** Takes the engine's events, as any host program does, so that they do not pile up in it. */
async function consume(engine) {
  for await (const _batch of engine.transitions());
}

/** Registers `targets` at once, and in another engine measures what they take; `probed`: also after one probe of each. */
export async function register({ targets, probed, rate }) {
  const { port, stop } = await startResponder();
  try {
    const registerMs = await registrationMs(targets, port);
    const memory = await memoryPerTarget(targets, port, probed ? (targets / rate) * 1000 : null);
    return { registerMs, ...memory };
  } finally {
    await stop();
  }
}

/** Until the reactor has the last one. */
async function registrationMs(targets, port) {
  const engine = new ProbeEngine({ engine: 'native' });
  const list = Array.from({ length: targets }, (_, n) => targetOf(n, 'tcp', port, DAY_MS));
  const startedAt = performance.now();
  const handles = engine.add(list);
  engine.status(handles[targets - 1]);
  const ms = performance.now() - startedAt;
  await engine.close();
  return ms;
}

async function memoryPerTarget(targets, port, probePeriodMs) {
  const engine = new ProbeEngine({ engine: 'native' });
  const events = consume(engine);
  const add = (from) => {
    const list = Array.from({ length: BATCH }, (_, i) =>
      targetOf(from + i, 'tcp', port, probePeriodMs ?? DAY_MS),
    );
    return engine.add(list);
  };
  // Code is compiled and caches are filled with targets that go again.
  engine.remove(add(targets));
  const before = await memory();
  for (let from = 0; from < targets; from += BATCH) add(from);
  const registered = await memory();
  const perTarget = (after) => ({
    native: (after.native - before.native) / targets,
    rss: (after.rss - before.rss) / targets,
    heap: (after.heap - before.heap) / targets,
  });
  const result = { registered: perTarget(registered) };
  if (probePeriodMs !== null) {
    await sleep(probePeriodMs + IDLE_MS);
    result.probed = perTarget(await memory());
  }
  await engine.close();
  await events;
  return result;
}

/** Bytes. `native`: anonymous resident memory less what V8 has reserved for its heap. */
async function memory() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await sleep(50);
  }
  const status = readFileSync('/proc/self/status', 'latin1');
  const anonymous = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return { rss, native: anonymous - heapTotal, heap: heapUsed };
}
