// Everything, one suite after the other; a signal ends it.
import { blackbox } from './probers/blackbox.mjs';
import { fping } from './probers/fping.mjs';
import { haproxy } from './probers/haproxy.mjs';
import { buildLimits } from './probers/limits.mjs';
import { figure } from './report.mjs';
import { startResponder } from './responder.mjs';
import { runJob } from './run-job.mjs';
import { measurePolicy } from './suites/policy.mjs';
import { measureProbers } from './suites/probers.mjs';
import { measureRuntime } from './suites/runtime.mjs';
import {
  measureFastest,
  measureLateness,
  measurePeerMemory,
  measureRegistration,
  measureSpread,
} from './suites/scale.mjs';
import { measureSupervisor } from './suites/supervisor.mjs';

/** Resolves with `{ cpuRows, figures }`. */
export async function measureAll(sizes, dir) {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
  }
  const say = (what) => {
    stopped.signal.throwIfAborted();
    process.stderr.write(`${what}\n`);
  };
  say('building the raw loops');
  const limits = await buildLimits(dir);
  if (limits === null) say('missing: a C++ compiler; the raw loops are left out');
  const peers = { limits, haproxy: haproxy(dir), blackbox: blackbox(dir), fping: fping(dir) };
  const run = (job, options) => runJob(job, { ...options, dir }, stopped.signal);
  const probing = await withResponders((ports) => measureProbing({ ...sizes, run, say, peers, ports }));
  const rest = [measureRuntime, measurePolicy, measureSupervisor];
  const figures = [...probing.figures];
  for (const suite of rest) {
    say(suite.name);
    figures.push(...(await suite({ ...sizes, run, say })));
  }
  return { cpuRows: probing.cpuRows, figures };
}

async function measureProbing(context) {
  const cpuRows = [
    ...(await measureProbers(context)),
    ...(await measureSpread(context)),
    ...(await measureFastest(context)),
  ];
  const figures = [
    ...(await measureRegistration(context)),
    ...(await measurePeerMemory(context)),
    ...(await measureLateness(context)).flatMap(latenessFigures),
  ];
  return { cpuRows, figures };
}

function latenessFigures({ loaded, targets, rate, lateness }) {
  return ['p50', 'p99', 'max'].map((quantile) => {
    const name = `start lateness ${quantile}${loaded ? ', core half loaded' : ''}`;
    return figure(
      { name, kind: 'lateness', targets, rate, unit: 'ms' },
      lateness.map((one) => one[quantile]),
    );
  });
}

async function withResponders(use) {
  const plain = await startResponder();
  try {
    const tls = await startResponder({ tls: true });
    try {
      return await use({ plain: plain.port, tls: tls.port });
    } finally {
      await tls.stop();
    }
  } finally {
    await plain.stop();
  }
}
