// The engine of the soak run, with everything that happens to it, and what its process holds while it does.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProbeEngine } from '../../dist/engine/index.js';
import { judge } from './soak-verdict.mjs';

const wanted = JSON.parse(process.argv[2]);
const TCP_PERIOD_MS = 200;
const CHURN_MS = 250;
const CHANNELS = 8;
const SAMPLES = 60;

const timing = (periodMs) => ({
  initialDelayMs: 0,
  periodMs,
  timeoutMs: Math.floor(periodMs * 0.9),
  successThreshold: 1,
  failureThreshold: 2,
});

let serial = 0;
const target = (check, periodMs) => {
  serial += 1;
  return { id: `soak/${serial}`, check, timing: timing(periodMs), startState: 'unknown' };
};
const tcp = (port, close = 'rst') => ({ kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port }, close });
const http = (path, keepAlive) => ({
  kind: 'httpGet',
  endpoint: { ip: '127.0.0.1', port: wanted.httpPort },
  http: { scheme: 'http', port: wanted.httpPort, path, headers: [], keepAlive },
});
const times = (count, make) => Array.from({ length: count }, (_, n) => make(n));
const tcpCount = Math.max(100, Math.round((wanted.rate * TCP_PERIOD_MS) / 1000));

const descriptors = () => readdirSync('/proc/self/fd').length;
const engine = new ProbeEngine({ engine: 'native', maxInFlightPerDestination: 4096 });
const atFirst = descriptors();

const seen = { transitions: 0, channelEvents: 0, aborted: 0, churned: 0 };
const consumer = (async () => {
  for await (const batch of engine.transitions()) seen.transitions += batch.length;
})();

const channels = times(CHANNELS, () => {
  const channel = engine.openChannel({ protocol: 'qmp', path: wanted.monitorPath, reconnectMs: 20 });
  channel.onEvent(() => {
    seen.channelEvents += 1;
  });
  return channel;
});
const steady = engine.add([
  ...times(100, () => target(tcp(wanted.closedPort), 1000)),
  ...times(20, () => target(http('/silent', false), 1000)),
  ...times(100, (n) => target(http('/', n % 2 === 0), 1000)),
  ...times(20, () => target(http('/bad', false), 1000)),
  ...times(20, () => target(tcp(wanted.tcpPort, 'fin'), 1000)),
  ...times(CHANNELS, (n) => target({ kind: 'vmState', channel: channels[n].handle }, 200)),
]);
let well = [...engine.add(times(tcpCount, () => target(tcp(wanted.tcpPort), TCP_PERIOD_MS)))];

/** A part of the targets leaves and others come; some rest, some begin a new boot; a call is given up. */
function churn() {
  const count = Math.max(1, Math.round(tcpCount / 50));
  const at = Math.floor(Math.random() * (well.length - count));
  engine.remove(well.splice(at, count));
  well.push(...engine.add(times(count, () => target(tcp(wanted.tcpPort), TCP_PERIOD_MS))));
  engine.newInstance(well.slice(0, count));
  engine.suspend(well.slice(-count));
  engine.resume(well.slice(-count));
  engine.update(well.slice(0, count).map((handle) => ({ handle, timing: timing(TCP_PERIOD_MS) })));
  seen.churned += count;
  const signal = AbortSignal.timeout(50);
  engine.probeOnce(http('/', false), { timeoutMs: 5000, signal }).catch(() => {
    seen.aborted += 1;
  });
  channels[seen.churned % CHANNELS].request('query-name', undefined, { deadlineMs: 500 }).catch(() => {});
}

function sample(startedMs, stats) {
  globalThis.gc();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    seconds: Math.round((Date.now() - startedMs) / 1000),
    probes: stats.probesStarted,
    rssMiB: rss / 2 ** 20,
    heapMiB: heapUsed / 2 ** 20,
    descriptors: descriptors(),
    inFlight: stats.inFlight,
  };
}

const startedMs = Date.now();
const samples = [];
let stats = engine.stats();
while (stats.probesStarted < wanted.probes && Date.now() - startedMs < wanted.seconds * 1000) {
  churn();
  await sleep(CHURN_MS);
  stats = engine.stats();
  const byProbes = stats.probesStarted / wanted.probes;
  const byTime = (Date.now() - startedMs) / (wanted.seconds * 1000);
  if (Math.max(byProbes, byTime) * SAMPLES < samples.length + 1) continue;
  samples.push(sample(startedMs, stats));
  process.send({ sample: samples.at(-1) });
}

const seconds = (Date.now() - startedMs) / 1000;
const outcomes = stats.outcomes.map(({ kind, reason, count }) => ({ kind, reason, count }));
for (const channel of channels) channel.close();
engine.remove([...steady, ...well]);
well = [];
// What ended in this turn is closed in the reactor's next ones.
for (let tries = 0; tries < 200 && (engine.stats().inFlight > 0 || descriptors() > atFirst); tries += 1) {
  await sleep(50);
}
const left = descriptors();
await engine.close();
await consumer;
const report = {
  probes: stats.probesStarted,
  seconds: Math.round(seconds),
  probesPerSecond: Math.round(stats.probesStarted / seconds),
  reactorPanics: stats.reactorPanics,
  ...seen,
  descriptors: { atFirst, left },
  outcomes,
  samples,
};
process.send({ report: { ...report, checks: judge(report) } });
