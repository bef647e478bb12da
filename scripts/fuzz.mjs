#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/steps.mjs';

const HELP = `Usage: npm run fuzz [-- [--seconds N] [--json FILE] [TARGET…]]

Builds the fuzz targets of native/engine/fuzz with coverage and runs each (or those named) with libFuzzer, beginning
with the seeds in native/engine/fuzz/corpus. An input that panics, takes 10 s or 512 MB is kept and named.

  --seconds N  of fuzzing in all, shared by the targets, one a processor at a time; default 60
  --json FILE  writes the results there

Exit status: 0 nothing found, 1 something found, 64 usage.`;

const FOLDER = join(ROOT, 'native/engine/fuzz');
const TRIPLE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
const BUILD = join(ROOT, 'target/fuzz');
const PROGRAM = join(BUILD, TRIPLE, 'release/vmpulse-fuzz');
const ARTIFACTS = join(BUILD, 'artifacts');

// What libFuzzer reads is put in by options of the compiler that are stable: no nightly is needed.
const COVERAGE = [
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (option) => `-Cllvm-args=-sanitizer-coverage-${option}`,
  ),
].join(' ');

/** Fewer runs than this within a target's share say that it did not work. */
const LEAST_RUNS = 100;

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds}: give a number above 0`);
  const all = targetNames();
  const unknown = positionals.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`no target '${unknown}'; there are ${all.join(', ')}`);

  await build();
  const names = positionals.length === 0 ? all : positionals;
  const share = Math.max(1, Math.floor(seconds / names.length));
  const results = await inLanes(names, (name) => fuzz(name, share));
  const file = values.json;
  if (file !== undefined) {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ results }, null, 2)}\n`);
  }
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

/** The names in the table of the crate. */
function targetNames() {
  const table = readFileSync(join(FOLDER, 'src/targets/mod.rs'), 'utf8');
  return [...table.matchAll(/^ {4}\("([a-z0-9-]+)", /gm)].map(([, name]) => name);
}

/** Does `work` for each, as many at a time as there are processors; the results are in the order of `items`. */
async function inLanes(items, work) {
  const results = [];
  const rest = items.entries();
  const lane = async () => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return results;
}

async function build() {
  // Not --locked: the lock follows what the crate under test depends on.
  const args = ['build', '--release', '--target', TRIPLE, '--target-dir', BUILD];
  const env = { ...process.env, RUSTFLAGS: COVERAGE };
  const { status } = await run('cargo', args, { cwd: FOLDER, env, stdio: 'inherit' });
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} ended with status ${status}`);
}

/** Fuzzes one target for some seconds. */
async function fuzz(name, seconds) {
  const found = mkdtempSync(join(tmpdir(), 'vmpulse-fuzz-'));
  mkdirSync(ARTIFACTS, { recursive: true });
  const seeds = join(FOLDER, 'corpus', name);
  const args = [
    `-max_total_time=${seconds}`,
    '-timeout=10',
    '-rss_limit_mb=512',
    '-malloc_limit_mb=64',
    '-max_len=16384',
    '-print_final_stats=1',
    `-artifact_prefix=${join(ARTIFACTS, `${name}-`)}`,
    found,
    ...(existsSync(seeds) ? [seeds] : []),
  ];
  const env = { ...process.env, FUZZ_TARGET: name };
  // The kernel ends what libFuzzer itself could not.
  const { status, output } = await run(PROGRAM, args, { env, timeout: (seconds + 60) * 1000 });
  rmSync(found, { recursive: true, force: true });
  const runs = Number(/stat::number_of_executed_units:\s+(\d+)/.exec(output)?.[1] ?? 0);
  const ok = status === 0 && runs >= LEAST_RUNS;
  console.log(`${ok ? '✓' : '✗'} ${name}: ${runs} inputs in ${seconds} s`);
  if (!ok) console.log(output.split('\n').slice(-40).join('\n'));
  if (!ok) console.log(`again: FUZZ_TARGET=${name} ${PROGRAM} FILE (a file of ${ARTIFACTS})`);
  return { name, ok, runs, seconds };
}

function run(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-64 * 1024);
      });
    }
    child.once('error', (error) => resolve({ status: error.message, output }));
    child.once('close', (code, signal) => resolve({ status: code ?? signal, output }));
  });
}

main().catch((error) => {
  console.error(`fuzz: ${error.message}\nSee npm run fuzz -- --help`);
  process.exitCode = 64;
});
