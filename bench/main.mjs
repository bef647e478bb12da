// npm run bench [-- --json FILE] [--quick]
// Ours, the peers and the raw loops side by side; minimum, median and maximum of several short rounds. Nothing here is
// asserted: a figure belongs to the machine and the moment it was taken on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingSteps, setup } from '../scripts/setup.mjs';
import { writeCharts } from './charts.mjs';
import { judge } from './goals.mjs';
import { machine, versions } from './machine.mjs';
import { measureAll } from './measure.mjs';
import { cpuTable, figureTable, goalTable } from './report.mjs';
import { jsonResults } from './results.mjs';
import { SIZES } from './sizes.mjs';

const USAGE = 'usage: npm run bench [-- --json FILE] [--quick]';
/** From this share of a core that others took, the core's busy time says more of them than of the probers. */
const QUIET_SHARE = 0.05;
const BASES = {
  core: "the pinned core's busy time",
  tree: 'the process tree: others used the core, or the idle baseline says too little of so short a time',
};

async function main() {
  const { json, quick } = parseArgs({
    options: { json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  }).values;
  await buildAll();
  const report = {
    startedAt: new Date().toISOString(),
    quick,
    machine: machine(),
    versions: await versions(),
  };
  tellMachine(report);
  const sizes = SIZES[quick ? 'quick' : 'full'];
  const measured = await withFolder((dir) => measureAll(sizes, dir));
  const basis = basisOf(measured.cpuRows);
  const run = { ...measured, basis };
  const ratios = judge(run, sizes);
  console.log(`\n${cpuTable(run.cpuRows)}\n\n${figureTable(run.figures)}\n\n${goalTable(ratios, basis)}`);
  console.log(`\nRatios are of ${BASES[basis]}`);
  if (quick) console.log('--quick: one short round each; these figures only show that everything runs.');
  for (const name of run.failures) console.log(`failed: ${name}`);
  if (run.failures.length > 0) process.exitCode = 1;
  if (json === undefined) return;
  const loadAfter = loadavg()[0];
  const body = { ...report, loadAfter, basis, results: jsonResults(run), ratios, figures: run.figures };
  await writeFile(json, `${JSON.stringify(body, null, 2)}\n`);
  const charts = await writeCharts(json.replace(/\.json$/, ''), run);
  console.log(`written: ${[json, ...charts].join(', ')}`);
}

/** An addon that is older than its source would be measured for the source. */
async function buildAll() {
  const missing = missingSteps(await setup({ groups: ['build'] }));
  if (missing.length > 0) throw new Error(`not all is built: ${missing.join('; ')}`);
}

/** Which of the two ways of counting (meter.mjs) holds for this run: by the core, if that is quiet and tells most of the rows. */
function basisOf(rows) {
  const shares = rows.map((row) => row.foreignShare).sort((a, b) => a - b);
  const isQuiet = shares[Math.floor(shares.length / 2)] <= QUIET_SHARE;
  const told = rows.filter((row) => row.core !== null).length;
  return isQuiet && told > rows.length / 2 ? 'core' : 'tree';
}

function tellMachine({ machine: { cpu, cores, memoryGiB, virtual, loadAverage }, versions }) {
  console.log(`${cores} cores of ${cpu}, ${memoryGiB} GiB${virtual ? ', virtual' : ''}; load ${loadAverage}`);
  const known = Object.entries(versions).filter(([, version]) => version !== null);
  console.log(known.map((entry) => entry.join(' ')).join(', '));
  for (const [name, version] of Object.entries(versions)) {
    if (version === null)
      console.log(`missing: ${name}; its rows are left out (npm run bench:setup fetches the peers)`);
  }
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
