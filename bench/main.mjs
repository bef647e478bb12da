// npm run bench [-- --json FILE] [--quick]
// Measures in several short rounds and prints minimum, median and maximum. Nothing here is asserted: a figure belongs to
// the machine and the moment it was taken on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine, versions } from './machine.mjs';
import { ratioTable, resultTable } from './report.mjs';
import { buildResponder } from './responder.mjs';
import { runJob } from './run-job.mjs';
import { measureEngine } from './suites/engine.mjs';
import { measurePolicy } from './suites/policy.mjs';
import { measureSupervisor } from './suites/supervisor.mjs';

const SUITES = { policy: measurePolicy, engine: measureEngine, supervisor: measureSupervisor };

const USAGE = 'usage: npm run bench [-- --json FILE] [--quick]';

/** `quick` only shows that everything runs; its figures are of one round, and mean little. */
const SIZES = {
  full: {
    rounds: 5,
    longRounds: 3,
    fleet: 10_000,
    stepMs: 500,
    targets: 5_000,
    rate: 5_000,
    measureMs: 4_000,
    registered: 100_000,
    probed: true,
    spread: [1_000, 10_000, 100_000],
    fleets: [100, 1_000, 10_000],
    events: 50,
  },
  quick: {
    rounds: 1,
    longRounds: 1,
    fleet: 10_000,
    stepMs: 200,
    targets: 2_000,
    rate: 5_000,
    measureMs: 1_000,
    registered: 100_000,
    probed: false,
    spread: [],
    fleets: [100],
    events: 10,
  },
};

async function main() {
  const { json, quick } = parseArgs({
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  }).values;
  const report = { startedAt: new Date().toISOString(), quick, machine: machine(), versions: versions() };
  const { cpu, cores, memoryGiB, virtual, loadAverage } = report.machine;
  console.log(`${cores} cores of ${cpu}, ${memoryGiB} GiB${virtual ? ', virtual' : ''}; load ${loadAverage}`);
  console.log(
    Object.entries(report.versions)
      .map((entry) => entry.join(' '))
      .join(', '),
  );
  const { results, ratios } = await withFolder((dir) => measure(SIZES[quick ? 'quick' : 'full'], dir));
  console.log(`\n${resultTable(results)}\n\n${ratioTable(ratios)}`);
  if (quick) console.log('\n--quick: one short round each; these figures only show that everything runs.');
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify({ ...report, results, ratios }, null, 2)}\n`);
}

/** Everything, one suite after the other; a signal ends it. */
async function measure(sizes, dir) {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
  }
  const responder = await buildResponder(dir);
  const run = (job, options) => runJob(job, { ...options, responder, dir }, stopped.signal);
  const results = [];
  const ratios = [];
  for (const [name, suite] of Object.entries(SUITES)) {
    process.stderr.write(`measuring ${name} …\n`);
    const measured = await suite({ ...sizes, run });
    results.push(...measured.results);
    ratios.push(...measured.ratios);
  }
  return { results, ratios };
}

async function withFolder(use) {
  const dir = await mkdtemp(join(tmpdir(), 'vmpulse-bench-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.code?.startsWith('ERR_PARSE_ARGS') ? `${error.message}\n${USAGE}` : error);
  process.exitCode = 1;
});
