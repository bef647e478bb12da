#!/usr/bin/env node
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `Usage: npm run soak -- engine [--probes N] [--rate N] [--seconds N] [--json FILE]

Runs the native engine in a process of its own for millions of probes: TCP and HTTP, well, refused, silent and with bad
answers, monitors that hang up, targets that come and go, calls that are aborted. Memory and descriptors must not grow.

  --probes N   ends after so many probes; default 10000000
  --rate N     probes a second that are scheduled; default 25000
  --seconds N  ends after so long at the latest; default 3600
  --json FILE  writes the samples and the verdict there

A short look: npm run soak -- engine --probes 300000
Exit status: 0 flat, 1 not, 64 usage.`;

const CHILD = new URL('lib/soak-engine.mjs', import.meta.url);

async function main() {
  const { values } = parseArgs({
    options: {
      probes: { type: 'string', default: '10000000' },
      rate: { type: 'string', default: '25000' },
      seconds: { type: 'string', default: '3600' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const [probes, rate, seconds] = ['probes', 'rate', 'seconds'].map((name) => positive(name, values[name]));
  const servers = await started(new URL('lib/soak-servers.mjs', import.meta.url), []);
  const wanted = JSON.stringify({ probes, rate, seconds, ...servers.ready });
  const engine = fork(CHILD, [wanted], { execArgv: ['--expose-gc'] });
  const report = await new Promise((resolve, reject) => {
    engine.on('message', (message) => {
      if (message.sample !== undefined) console.log(line(message.sample));
      else resolve(message.report);
    });
    engine.once('exit', (code) => reject(new Error(`the engine's process ended with ${code}`)));
  });
  engine.disconnect();
  servers.child.disconnect();
  if (values.json !== undefined) {
    mkdirSync(dirname(resolve(values.json)), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  for (const { name, ok, detail } of report.checks) console.log(`${ok ? '✓' : '✗'} ${name}: ${detail}`);
  process.exitCode = report.checks.every(({ ok }) => ok) ? 0 : 1;
}

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: give a number above 0`);
  return value;
}

/** Starts a process and waits for its first message. */
function started(url, args) {
  const child = fork(url, args);
  return new Promise((resolve, reject) => {
    child.once('message', (ready) => resolve({ child, ready }));
    child.once('exit', (code) => reject(new Error(`${url.pathname} ended with ${code}`)));
  });
}

function line({ seconds, probes, rssMiB, heapMiB, descriptors, inFlight }) {
  return [
    `${String(seconds).padStart(5)} s`,
    `${probes.toLocaleString('en')} probes`,
    `RSS ${rssMiB.toFixed(1)} MiB`,
    `heap ${heapMiB.toFixed(1)} MiB`,
    `${descriptors} descriptors`,
    `${inFlight} in flight`,
  ].join('  ');
}

main().catch((error) => {
  console.error(`soak: ${error.message}\nSee npm run soak -- engine --help`);
  process.exitCode = 64;
});
