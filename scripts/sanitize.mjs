#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCargo } from './lib/reports.mjs';
import { ROOT } from './lib/steps.mjs';

const HELP = `Usage: npm run sanitize [-- [--thread] [TEST…]]

Runs the tests of the crates vmpulse-proto and vmpulse-engine (or those whose names hold one of TEST) under
AddressSanitizer, with its search for leaks.

  --thread   ThreadSanitizer instead, of vmpulse-engine (vmpulse-proto has no threads)

Exit status: 0 all passed, 1 a test or the sanitizer found something, 64 usage.`;

const SANITIZERS = {
  address: {
    name: 'AddressSanitizer',
    crates: ['vmpulse-proto', 'vmpulse-engine'],
    flags: '-Zsanitizer=address',
    environment: {},
  },
  thread: {
    name: 'ThreadSanitizer',
    crates: ['vmpulse-engine'],
    // The standard library is not built with it; what it then does not see is told it (sync.rs) or left out (tsan.supp).
    flags: '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg vmpulse_tsan',
    environment: { TSAN_OPTIONS: `suppressions=${join(ROOT, 'native/engine/tsan.supp')}` },
  },
};
const TRIPLE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;

async function main() {
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', default: false }, thread: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  if (values.help) return console.log(HELP);
  const kind = values.thread ? 'thread' : 'address';
  const { name, crates, flags, environment } = SANITIZERS[kind];
  // With --target, build scripts and procedural macros stay without the sanitizer. Tests of documentation are built
  // by rustdoc, which knows nothing of it.
  const args = ['test', '--locked', '--lib', '--tests', '--no-fail-fast', '--target', TRIPLE];
  args.push(
    '--target-dir',
    join(ROOT, `target/${kind}-sanitizer`),
    ...crates.flatMap((crate) => ['-p', crate]),
  );
  if (positionals.length > 0) args.push('--', ...positionals);
  // -Z options are a nightly compiler's; a stable one takes them when it is told that it builds itself.
  const env = { ...process.env, ...environment, RUSTC_BOOTSTRAP: '1', RUSTFLAGS: flags };
  const { status, output } = await cargo(args, env);
  const { passed, failed, skipped } = readCargo(output);
  const ok = status === 0;
  const end = ok ? '' : `; cargo ended with ${status}`;
  console.log(
    `${ok ? '✓' : '✗'} ${name}, ${crates.join(' and ')}: ${passed} passed, ${failed} failed, ${skipped} ignored${end}`,
  );
  process.exitCode = ok ? 0 : 1;
}

/** Runs cargo with the sanitizer; its output is shown and, as the counts are in it, kept. */
function cargo(args, env) {
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
