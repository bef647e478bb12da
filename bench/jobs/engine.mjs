// The native engine: registration, memory, CPU per probe.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProbeEngine } from '../../dist/engine/index.js';
import { loopbackAddress, startResponder } from '../responder.mjs';
import { cpuPerProbe, idleUsPerSecond } from './cpu.mjs';

const DAY_MS = 86_400_000;
const IDLE_MS = 1000;
/** So that what the first garbage of a batch leaves is not taken for the engine's memory. */
const BATCH = 1000;

const CHECKS = {
  tcp: (endpoint) => ({ kind: 'tcpSocket', endpoint, close: 'rst' }),
  'tcp-fin': (endpoint) => ({ kind: 'tcpSocket', endpoint, close: 'fin' }),
  http: (endpoint) => ({
    kind: 'httpGet',
    endpoint,
    http: { scheme: 'http', port: endpoint.port, path: '/healthz', headers: [] },
  }),
};

function targetOf(n, kind, port, periodMs) {
  return {
    id: `bench/vm-${n}/${kind}`,
    check: CHECKS[kind]({ ip: loopbackAddress(n), port }),
    timing: {
      initialDelayMs: 0,
      periodMs,
      timeoutMs: Math.min(1000, periodMs / 2),
      successThreshold: 1,
      failureThreshold: 3,
    },
    startState: 'unknown',
  };
}

/** Takes the engine's events, as any host program does, so that they do not pile up in it. */
async function consume(engine) {
  for await (const _batch of engine.transitions());
}

/** Probes `targets` addresses at `rate` a second; resolves with cpuPerProbe's figures and the lateness of starts. */
export async function probeWithEngine({ kind, targets, rate, measureMs, responder }) {
  const { port, stop } = await startResponder(responder);
  const engine = new ProbeEngine({ engine: 'native' });
  const events = consume(engine);
  try {
    const idleUs = await idleUsPerSecond(IDLE_MS);
    const periodMs = (targets / rate) * 1000;
    engine.add(Array.from({ length: targets }, (_, n) => targetOf(n, kind, port, periodMs)));
    await sleep(periodMs + IDLE_MS);
    // Of the time since the look before: the last look's is that of the window.
    let latenessMs;
    const count = () => {
      const { probesStarted: started, outcomes, ...stats } = engine.stats();
      latenessMs = stats.latenessMs;
      const sum = (entries) => entries.reduce((total, entry) => total + entry.count, 0);
      const ok = sum(outcomes.filter(({ reason }) => reason === 'ok'));
      return { started, ok, failed: sum(outcomes) - ok };
    };
    const figures = await cpuPerProbe(count, measureMs, idleUs);
    return { ...figures, latenessMs };
  } finally {
    await engine.close();
    await events;
    await stop();
  }
}

/** Registers `targets` at once, and in another engine measures what they take; `probed`: also after one probe of each. */
export async function register({ targets, probed, rate, responder }) {
  const { port, stop } = await startResponder(responder);
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
