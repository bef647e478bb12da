#!/usr/bin/env node
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { labAvailable } from '../lab/vm.mjs';
import { missingSteps, setup } from './setup.mjs';

const HELP = `Usage: npm start [-- --script [--seed N] [--json FILE]]

Sets up what is missing, boots three real VMs under the daemon and shows their live status until Ctrl-C.

  --script     brings five faults on by itself, one VM at a time, and ends with a table
  --seed N     draws the order and the victims; default: a new one each time, which is printed
  --json FILE  writes the results there

Exit status: 0 all well (with --script: all five faults healed and no other VM touched), 1 not, 64 usage.`;

const MAX_SEED = 2 ** 31;

async function main(options) {
  const report = await setup({ groups: ['build', 'lab'] });
  const lab = labAvailable();
  const needed = ['dependencies', 'typescript'].filter((name) => report[name].state === 'missing');
  if (!lab.ok || needed.length > 0) {
    console.error(`The demonstration cannot run:\n  ${missingSteps(report).join('\n  ') || lab.reason}`);
    return 1;
  }
  const { demonstrate } = await import('../demo/main.mjs');
  return demonstrate({ ...options, lab });
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      script: { type: 'boolean', default: false },
      seed: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const seed = values.seed === undefined ? randomInt(MAX_SEED) : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed >= MAX_SEED) {
    throw new Error(`--seed ${values.seed}: give a whole number from 0 to ${MAX_SEED - 1}`);
  }
  return { script: values.script, seed, json: values.json, help: values.help };
}

function start() {
  try {
    const { help, ...options } = parseOptions();
    if (help) return console.log(HELP);
    main(options).then(
      (status) => {
        process.exitCode = status;
      },
      (error) => {
        console.error(`start: ${error.stack ?? error.message}`);
        process.exitCode = 1;
      },
    );
  } catch (error) {
    console.error(`start: ${error.message}\nSee npm start -- --help`);
    process.exitCode = 64;
  }
}

start();
