#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCargo } from './lib/reports.mjs';
import { ROOT } from './lib/steps.mjs';

const HELP = `Usage: npm run sanitize [-- [TEST…]]

Runs the tests of the crates vmpulse-proto and vmpulse-engine (or those whose names hold one of TEST) under
AddressSanitizer, with its search for leaks.

Exit status: 0 all passed, 1 a test or the sanitizer found something, 64 usage.`;

const CRATES = ['vmpulse-proto', 'vmpulse-engine'];
const TRIPLE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
const ENVIRONMENT = {
  // -Z options are a nightly compiler's; a stable one takes them when it is told that it builds itself.
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: '-Zsanitizer=address',
};

async function main() {
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  // With --target, build scripts and procedural macros stay without the sanitizer. Tests of documentation are built
  // by rustdoc, which knows nothing of it.
  const args = ['test', '--locked', '--lib', '--tests', '--no-fail-fast', '--target', TRIPLE];
  args.push('--target-dir', join(ROOT, 'target/asan'), ...CRATES.flatMap((crate) => ['-p', crate]));
  if (positionals.length > 0) args.push('--', ...positionals);
  const { status, output } = await cargo(args);
  const { passed, failed, skipped } = readCargo(output);
  const ok = status === 0;
  const end = ok ? '' : `; cargo ended with ${status}`;
  console.log(
    `${ok ? '✓' : '✗'} AddressSanitizer, ${CRATES.join(' and ')}: ${passed} passed, ${failed} failed, ${skipped} ignored${end}`,
  );
  process.exitCode = ok ? 0 : 1;
}

/** Runs cargo with the sanitizer; its output is shown and, as the counts are in it, kept. */
function cargo(args) {
  const env = { ...process.env, ...ENVIRONMENT };
  const child = spawn('cargo', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`cargo cannot be started: ${error.message}`)));
    child.once('close', (code, signal) => resolve({ status: code ?? signal, output }));
  });
}

main().catch((error) => {
  console.error(`sanitize: ${error.message}\nSee npm run sanitize -- --help`);
  process.exitCode = 64;
});
