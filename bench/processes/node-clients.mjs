// The same probes with what Node has, in their leanest form: no thresholds, no self-distrust.
import { connect } from 'node:net';
import { Agent, request } from 'undici';
import { loopbackAddress } from '../responder.mjs';
import { serveFigures } from './serve-figures.mjs';

const TICK_MS = 2;
const MAX_IN_FLIGHT = 4096;
const TIMEOUT_MS = 1000;

const { kind, targets, rate, port } = JSON.parse(process.argv[2]);

/** Closed by RST as soon as it stands. */
function connectOnce(host) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error('timeout')));
    socket.once('connect', () => {
      socket.resetAndDestroy();
      resolve();
    });
  });
}

/** A fresh connection a request. */
const dispatcher = new Agent({
  pipelining: 0,
  connect: { timeout: TIMEOUT_MS, rejectUnauthorized: false, maxCachedSessions: 0 },
  headersTimeout: TIMEOUT_MS,
  bodyTimeout: TIMEOUT_MS,
});
async function getOnce(host) {
  const { statusCode, body } = await request(`${kind}://${host}:${port}/healthz`, { dispatcher });
  await body.dump();
  if (statusCode !== 200) throw new Error(`status ${statusCode}`);
}

const probe = kind === 'tcp' ? connectOnce : getOnce;
const total = { started: 0, ok: 0, failed: 0 };
const startedAt = performance.now();
let due = 0;
const timer = setInterval(() => {
  const until = Math.floor(((performance.now() - startedAt) * rate) / 1000);
  // What does not fit is left out, so that a prober that cannot keep up is measured at the rate it can.
  for (; due < until; due++) {
    if (total.started - total.ok - total.failed >= MAX_IN_FLIGHT) continue;
    total.started++;
    probe(loopbackAddress(due % targets)).then(
      () => total.ok++,
      () => total.failed++,
    );
  }
}, TICK_MS);
serveFigures(
  () => ({ ok: total.ok, failed: total.failed }),
  async () => {
    clearInterval(timer);
    await dispatcher.destroy();
  },
);
