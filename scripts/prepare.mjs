// Run by npm after an install from a checkout: builds what is stale of the addons, then the TypeScript.
// VMPULSE_SKIP_NATIVE=1 leaves the addons out.

import { STEPS } from './lib/steps.mjs';
import { doStep } from './setup.mjs';

// Set-up runs `npm ci` as one of its steps and does these afterwards itself.
if (process.env.VMPULSE_SKIP_PREPARE === '1') process.exit(0);

const wanted =
  process.env.VMPULSE_SKIP_NATIVE === '1'
    ? ['typescript']
    : ['cxx', 'rust', 'kernel-addon', 'engine-addon', 'typescript'];
const report = {};
// npm is installing the dependencies right now: they are there.
for (const step of STEPS.filter(({ name }) => wanted.includes(name))) {
  report[step.name] = await doStep(step, report, console.log);
  const { state, reason, fix } = report[step.name];
  if (state !== 'missing') continue;
  console.error(`vmpulse: ${step.title}: ${reason}\n  fix: ${fix}`);
  process.exitCode = 1;
}
if (process.exitCode === 1) console.error('VMPULSE_SKIP_NATIVE=1 npm ci installs without the native addons.');
