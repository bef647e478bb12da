// Everything, one suite after the other; a signal ends it.
import { blackbox } from './probers/blackbox.mjs';
import { checkTcp } from './probers/check-tcp.mjs';
import { fping } from './probers/fping.mjs';
import { haproxy } from './probers/haproxy.mjs';
import { buildLimits } from './probers/limits.mjs';
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
import { measureSignals } from './suites/signals.mjs';
import { measureSupervisor } from './suites/supervisor.mjs';

/** Resolves with `{ cpuRows, figures, failures }`; failures are names of suites. */
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
  const peers = {
    limits,
    haproxy: haproxy(dir),
    blackbox: blackbox(dir),
    fping: fping(dir),
    checkTcp: checkTcp(),
  };
  const run = (job, options) => runJob(job, { ...options, dir }, stopped.signal);
  const report = { cpuRows: [], figures: [], failures: [] };
  // One that fails does not take the others' figures with it.
  const attempt = async (suite, context) => {
    say(suite.name);
    try {
      return await suite(context);
    } catch (error) {
      stopped.signal.throwIfAborted();
      process.stderr.write(`${suite.name} failed: ${error.stack}\n`);
      report.failures.push(suite.name);
      return [];
    }
  };
  const context = { ...sizes, run, say, peers };
  await withResponders(async (ports) => {
    for (const suite of [measureProbers, measureSpread, measureFastest]) {
      report.cpuRows.push(...(await attempt(suite, { ...context, ports })));
    }
    for (const suite of [measureRegistration, measurePeerMemory, measureLateness]) {
      report.figures.push(...(await attempt(suite, { ...context, ports })));
    }
  });
  for (const suite of [measureRuntime, measurePolicy, measureSignals, measureSupervisor]) {
    report.figures.push(...(await attempt(suite, context)));
  }
  return report;
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
