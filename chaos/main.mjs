#!/usr/bin/env node
// `npm run chaos`: real QEMU guests under a real daemon, real faults, and an observer that judges from outside.
// Everything runs in a network namespace of its own, with real TAP devices on a real bridge.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setup } from '../scripts/setup.mjs';
import { chaosObstacle } from './obstacle.mjs';

const HELP = `Usage: npm run chaos -- [--vms N] [--faults N] [--seed N] [--json FILE]

  --vms N      VMs, 3 to 10 (default 10)
  --faults N   faults, each kind in its turn (default 60)
  --seed N     order and victims (default: drawn, and told)
  --json FILE  what happened, as JSON

Exit status: 0 nothing missed and nothing restarted falsely, 1 otherwise, 2 it cannot run here.`;

const RUN = fileURLToPath(new URL('./run.mjs', import.meta.url));
const MAX_VMS = 10;

function whole(text, name, min, max) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      vms: { type: 'string', default: String(MAX_VMS) },
      faults: { type: 'string', default: '60' },
      seed: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const plan = {
    vms: whole(values.vms, 'vms', 3, MAX_VMS),
    faults: whole(values.faults, 'faults', 1, 1000),
    seed: whole(values.seed ?? String(Date.now() % 1_000_000), 'seed', 0, 2 ** 31),
    ...(values.json === undefined ? {} : { json: values.json }),
  };
  await setup({ groups: ['build', 'lab'] });
  const why = chaosObstacle();
  if (why !== undefined) {
    console.log(`chaos: left out: ${why}`);
    process.exitCode = 2;
    return;
  }
  process.exitCode = await inNamespace(plan);
}

/** Runs the play in a network namespace that is made for it and removed after it. */
async function inNamespace(plan) {
  const name = `vmp-chaos-${process.pid}`;
  const ip = (...args) => spawnSync('ip', args, { stdio: 'inherit' }).status === 0;
  if (!ip('netns', 'add', name)) throw new Error('the network namespace could not be made');
  try {
    if (!ip('-n', name, 'link', 'set', 'lo', 'up')) throw new Error('its loopback could not be set up');
    const command = ['netns', 'exec', name, process.execPath, RUN, JSON.stringify(plan)];
    const child = spawn('ip', command, { stdio: 'inherit' });
    const pass = (signal) => child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    ip('netns', 'del', name);
  }
}

main().catch((error) => {
  console.error(`chaos: ${error.message}`);
  process.exitCode = 1;
});
