#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { filesOfNoGroup, GROUPS } from './lib/groups.mjs';
import { ROOT } from './lib/steps.mjs';
import { setup } from './setup.mjs';

const HELP = `Usage: npm test [-- [--ci] [GROUP…]]

Sets up what is missing and runs the groups of tests (all, or those named): ${GROUPS.map(({ name }) => name).join(' ')}.
The counts come from machine reports in reports/; a group whose report is missing or empty has failed.

  --ci   also installs the tools of the checks; a group may then be left out only for lack of root

Exit status: 0 all passed, 1 not.`;

async function main() {
  const { values, positionals } = parseArgs({
    options: { ci: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  const unknown = positionals.find((name) => GROUPS.every((group) => group.name !== name));
  if (unknown !== undefined) throw new Error(`no group '${unknown}'; see npm test -- --help`);

  const report = await setup({ groups: ['build', 'lab', ...(values.ci ? ['ci'] : [])] });
  const wanted = GROUPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const results = [];
  for (const group of wanted) results.push(await runGroup(group, report, values));
  process.exitCode = summarise(results, brokenSteps(report)) ? 0 : 1;
}

/** Steps that no host has a reason to lack. */
function brokenSteps(report) {
  return ['dependencies', 'typescript']
    .filter((name) => report[name].state === 'missing')
    .map((name) => `set-up: ${name} is missing, see above`);
}

/** Runs one group; never throws. */
async function runGroup(group, report, options) {
  const obstacle = group.obstacle(report, options);
  if (obstacle !== undefined) return { name: group.name, obstacle };
  console.log(`\n── ${group.name}`);
  const startedMs = Date.now();
  mkdirSync(join(ROOT, 'reports'), { recursive: true });
  if (group.report !== undefined) rmSync(group.report, { force: true });
  let end = { status: 0, output: '' };
  for (const command of group.commands) {
    end = await runCommand(command, group.report === undefined);
    if (end.status !== 0) break;
  }
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  try {
    const counts = group.read(group.report === undefined ? end.output : readFileSync(group.report, 'utf8'));
    return { name: group.name, counts, status: end.status, seconds };
  } catch (error) {
    return { name: group.name, problem: `no usable report: ${error.message}`, status: end.status, seconds };
  }
}

/** Runs a command with its output shown, and kept where it is the report. */
function runCommand([program, ...args], keepOutput) {
  return new Promise((resolve) => {
    const stdio = ['ignore', keepOutput ? 'pipe' : 'inherit', 'inherit'];
    const child = spawn(program, args, { cwd: ROOT, stdio });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.once('error', (error) => resolve({ status: error.code ?? 'error', output }));
    child.once('close', (code, signal) => resolve({ status: code ?? signal, output }));
  });
}

/** Prints the result of every group and the sums; true if all is well. */
function summarise(results, problems) {
  const sums = { passed: 0, failed: 0, skipped: 0 };
  console.log('');
  for (const { name, obstacle, problem, counts, status, seconds } of results) {
    if (obstacle !== undefined) {
      console.log(`${name}: left out: ${obstacle.reason}`);
      if (obstacle.fatal) problems.push(`${name} may not be left out here`);
      continue;
    }
    if (problem !== undefined) {
      problems.push(`${name}: ${problem} (status ${status})`);
      continue;
    }
    for (const key of Object.keys(sums)) sums[key] += counts[key];
    console.log(`${name}: ${counted(counts)} (${seconds} s)`);
    if (counts.failed > 0) problems.push(`${name}: ${counts.failed} failed`);
    else if (status !== 0) problems.push(`${name}: ended with status ${status}`);
    else if (counts.passed === 0) problems.push(`${name}: no test passed, all were skipped`);
  }
  const orphans = filesOfNoGroup();
  if (orphans.length > 0) problems.push(`of no group (see scripts/lib/groups.mjs): ${orphans.join(', ')}`);
  for (const problem of problems) console.log(`✗ ${problem}`);
  console.log(counted(sums));
  return problems.length === 0;
}

function counted({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

main().catch((error) => {
  console.error(`test: ${error.message}`);
  process.exitCode = 1;
});
