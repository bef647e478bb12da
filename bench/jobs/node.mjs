// The same probes with what Node has, in their leanest form: no thresholds, no self-distrust.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { loopbackAddress, startResponder } from '../responder.mjs';
import { cpuPerProbe, idleUsPerSecond } from './cpu.mjs';

const IDLE_MS = 1000;
const TICK_MS = 2;
const MAX_IN_FLIGHT = 4096;
const TIMEOUT_MS = 1000;

/** net.connect, closed by RST as soon as it stands. */
export function connectWithNode(options) {
  const probe = (host, port) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, timeout: TIMEOUT_MS });
      socket.once('error', reject);
      socket.once('timeout', () => socket.destroy(new Error('timeout')));
      socket.once('connect', () => {
        socket.resetAndDestroy();
        resolve();
      });
    });
  return atRate(probe, options);
}

/** undici, a fresh connection a request. */
export async function getWithUndici(options) {
  const dispatcher = new Agent({
    pipelining: 0,
    connect: { timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  const probe = async (host, port) => {
    const { statusCode, body } = await request(`http://${host}:${port}/healthz`, { dispatcher });
    await body.dump();
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  };
  try {
    return await atRate(probe, options);
  } finally {
    await dispatcher.destroy();
  }
}

/** Starts probes of one target after the other at the rate, in ticks as the engine's; resolves with cpuPerProbe's figures. */
async function atRate(probe, { targets, rate, measureMs, responder }) {
  const { port, stop } = await startResponder(responder);
  const hosts = Array.from({ length: targets }, (_, n) => loopbackAddress(n));
  const total = { started: 0, ok: 0, failed: 0 };
  const inFlight = () => total.started - total.ok - total.failed;
  const idleUs = await idleUsPerSecond(IDLE_MS);
  const startedAt = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const until = Math.floor(((performance.now() - startedAt) * rate) / 1000);
    // What does not fit is left out, so that a prober that cannot keep up is measured at the rate it can.
    for (; due < until; due++) {
      if (inFlight() >= MAX_IN_FLIGHT) continue;
      total.started++;
      probe(hosts[due % targets], port).then(
        () => total.ok++,
        () => total.failed++,
      );
    }
  }, TICK_MS);
  try {
    await sleep(2 * IDLE_MS);
    return await cpuPerProbe(() => ({ ...total }), measureMs, idleUs);
  } finally {
    clearInterval(timer);
    for (let waited = 0; inFlight() > 0 && waited < 2 * TIMEOUT_MS; waited += 50) await sleep(50);
    await stop();
  }
}
