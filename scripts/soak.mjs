#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const HELP = `Usage: npm run soak [-- [engine|policy|journal [options]]]

Runs for long what must hold for long; without a name one after another:

  engine   10,000,000 probes by the native engine; memory and descriptors must not grow
  policy   10,000 simulated seeds, of fleets of 1 to 100 VMs on 1 to 6 hosts for 1 to 30 days; nothing may be found
  journal  a journal of 10,000,000 entries; every question must be answered in less than 100 ms

Options are those of npm run soak -- engine --help, of vmpulse simulate, and of npm run soak -- journal --help:
  npm run soak -- engine --probes 300000
  npm run soak -- policy --seeds 1..100

Exit status: 0 all held, 1 one did not, 64 usage.`;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const SIZES = ['--vms', '1..100', '--hosts', '1..6', '--days', '1..30'];

/** What each runs; of an option that is given twice the last counts. */
const SOAKS = {
  engine: [here('soak-engine.mjs')],
  policy: [here('../dist/cli/main.js'), 'simulate', '--seeds', '1..10000', ...SIZES],
  journal: [here('soak-journal.mjs')],
};

function run(name, options) {
  const { status, signal, error } = spawnSync(process.execPath, [...SOAKS[name], ...options], {
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  // A soak that somebody ended is the end of all of them.
  if (signal !== null) process.kill(process.pid, signal);
  return status ?? 1;
}

/** Every soak, whatever came of those before. */
function runAll() {
  const failed = [];
  for (const name of Object.keys(SOAKS)) {
    console.log(`\n${name}`);
    const beganMs = performance.now();
    if (run(name, []) !== 0) failed.push(name);
    console.log(`${name}: ${((performance.now() - beganMs) / 60_000).toFixed(1)} minutes`);
  }
  console.log(failed.length === 0 ? '\nall held' : `\ndid not hold: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

function main([name, ...options]) {
  if (name === undefined) return runAll();
  if (name === '--help') {
    console.log(HELP);
    return 0;
  }
  if (Object.hasOwn(SOAKS, name)) return run(name, options);
  console.error(`soak: there is no soak ${name}\nSee npm run soak -- --help`);
  return 64;
}

process.exitCode = main(process.argv.slice(2));
