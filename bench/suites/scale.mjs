// How the engine behaves with many targets, at its fastest, and beside other work.

import { setTimeout as sleep } from 'node:timers/promises';
import { CORES, spawnOn } from '../cores.mjs';
import { treeRssBytes } from '../meter.mjs';
import { rawLoop } from '../probers/limits.mjs';
import { vmpulse } from '../probers/ours.mjs';
import { cpuRow, figure } from '../report.mjs';
import { measureProber } from './probers.mjs';

const SPREAD_RATE = 5_000;
const LATENESS_RATE = 10_000;

/** The same rate over few and many targets, by ours and by the raw loop that makes the same calls. */
export async function measureSpread(context) {
  const { peers, longRounds, spread, say } = context;
  const probers = [
    vmpulse,
    ...(peers.limits ? [rawLoop(peers.limits, 'recycled', 'raw epoll, sockets used again')] : []),
  ];
  const rows = probers.flatMap((by) => spread.map((targets) => ({ by, targets, runs: [] })));
  for (let round = 0; round < longRounds; round++) {
    for (const { by, targets, runs } of rows) {
      say(`tcp over ${targets} targets by ${by.peer} (${round + 1}/${longRounds})`);
      // A target's first probe is a change that JavaScript is told: it is over before anything is measured.
      const warmMs = context.warmMs + (targets / SPREAD_RATE) * 1_000;
      runs.push(await measureProber({ ...context, warmMs, by, kind: 'tcp', targets, rate: SPREAD_RATE }));
    }
  }
  return rows.map(({ by, targets, runs }) =>
    cpuRow({ peer: by.peer, kind: 'tcp', targets, rate: SPREAD_RATE, what: 'same rate' }, runs),
  );
}

/** How late probes start, with the core to themselves and with half of it taken. */
export async function measureLateness(context) {
  const { longRounds, targets, say } = context;
  const rows = [];
  for (const loaded of [false, true]) {
    const runs = [];
    for (let round = 0; round < longRounds; round++) {
      say(`lateness${loaded ? ', core half loaded' : ''} (${round + 1}/${longRounds})`);
      const burner = loaded ? startBurner() : undefined;
      try {
        runs.push(
          await measureProber({ ...context, by: vmpulse, kind: 'tcp', targets, rate: LATENESS_RATE }),
        );
      } finally {
        burner?.kill('SIGKILL');
      }
    }
    for (const quantile of ['p50', 'p99', 'max']) {
      const name = `start lateness ${quantile}${loaded ? ', core half loaded' : ''}`;
      const of = { name, kind: 'lateness', targets, rate: LATENESS_RATE, unit: 'ms' };
      rows.push(
        figure(
          of,
          runs.map(({ told }) => told.latenessMs[quantile]),
        ),
      );
    }
  }
  return rows;
}

/** A program that wants the prober's core half of the time, in pieces of five milliseconds. */
function startBurner() {
  const source =
    'setInterval(() => { const end = performance.now() + 5; while (performance.now() < end); }, 10)';
  return spawnOn(CORES.prober, process.execPath, ['-e', source], { stdio: 'ignore' });
}

/** Half-open probes as fast as one core goes. */
export async function measureFastest(context) {
  const { peers, longRounds, fastest, say } = context;
  const probers = [
    vmpulse,
    ...(peers.limits ? [rawLoop(peers.limits, 'half-open', 'raw socket, sendmmsg')] : []),
  ];
  const rows = probers.map((by) => ({ by, runs: [] }));
  for (let round = 0; round < longRounds; round++) {
    for (const { by, runs } of rows) {
      say(`half-open by ${by.peer} as fast as it goes (${round + 1}/${longRounds})`);
      runs.push(await measureProber({ ...context, ...fastest, by, kind: 'half-open' }));
    }
  }
  return rows.map(({ by: { peer }, runs }) =>
    cpuRow({ ...fastest, peer, kind: 'half-open', what: 'as fast as it goes' }, runs),
  );
}

/** Bytes a target that HAProxy takes: what ten times as many servers take more. */
export async function measurePeerMemory({ peers: { haproxy }, targets, ports, settleMs, say }) {
  if (!haproxy) return [];
  say('memory of HAProxy');
  const rss = async (count) => {
    const prober = await haproxy.start({ kind: 'tcp', targets: count, rate: count / 10, port: ports.plain });
    try {
      await sleep(settleMs);
      return treeRssBytes(prober.pid);
    } finally {
      await prober.stop();
    }
  };
  const few = targets / 10;
  const bytes = ((await rss(targets)) - (await rss(few))) / (targets - few);
  return [figure({ name: 'RSS growth a target, HAProxy', kind: 'memory', targets, unit: 'B' }, [bytes])];
}

/** Registration and memory of ours. */
export async function measureRegistration({ run, longRounds, registered, probed, say }) {
  const runs = [];
  for (let round = 0; round < longRounds; round++) {
    say(`registration (${round + 1}/${longRounds})`);
    runs.push(await run('register', { targets: registered, probed, rate: SPREAD_RATE }));
  }
  const of = { kind: 'memory', targets: registered };
  const memory = (what, name) =>
    [
      ['native', 'native memory'],
      ['rss', 'RSS growth'],
      ['heap', 'JavaScript heap'],
    ].map(([field, title]) =>
      figure(
        { ...of, name: `${title} a target, ${name}`, unit: 'B' },
        runs.map((one) => one[what][field]),
      ),
    );
  const registerMs = figure(
    { ...of, kind: 'registration', name: 'register targets', unit: 'ms' },
    runs.map((one) => one.registerMs),
  );
  return [
    registerMs,
    ...memory('registered', 'registered'),
    ...(probed ? memory('probed', 'probed once') : []),
  ];
}
