#!/usr/bin/env node
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { CommandError } from './lib/run.mjs';
import { STEPS, StepMissing } from './lib/steps.mjs';

const HELP = `Usage: node scripts/setup.mjs [--ci] [--quiet]

Brings everything that vmpulse's tests and demonstration need: npm dependencies, both native addons, the
TypeScript build, and, as root on Debian or Ubuntu, QEMU and the image of the lab VMs. What is there and up
to date is left alone, so a second run ends at once.

  --ci     also the tools for checks and native tests (clang-format, GoogleTest, Prometheus)
  --quiet  no progress, only what is missing

VMPULSE_NO_APT=1 keeps it from installing or downloading Debian packages; it then names what is missing.
Exit status: 0 all there, 1 something is missing.`;

/**
 * Does every step of the chosen groups that is not up to date. A step that cannot be done does not stop the
 * others.
 *
 * @param {{ groups?: readonly ('build' | 'lab' | 'ci')[], log?: (line: string) => void }} [options]
 * @returns {Promise<Record<string, { state: 'done' | 'fresh' } | { state: 'missing', reason: string, fix: string }>>}
 */
export async function setup({ groups = ['build', 'lab'], log = console.log } = {}) {
  const report = {};
  for (const step of STEPS.filter(({ group }) => groups.includes(group))) {
    report[step.name] = await doStep(step, report, log);
    const { state, reason, fix } = report[step.name];
    if (state === 'missing') log(`✗ ${step.title}: ${reason}\n  fix: ${fix}`);
  }
  return report;
}

/** The missing steps of a report, one line each. */
export function missingSteps(report) {
  return Object.entries(report)
    .filter(([, { state }]) => state === 'missing')
    .map(([name, { reason, fix }]) => `${name}: ${reason} (fix: ${fix})`);
}

/** Does one step unless it is fresh or what it needs is missing; never throws. */
export async function doStep(step, report, log) {
  const blocked = step.needs.find((name) => report[name]?.state === 'missing');
  try {
    if (step.fresh()) return { state: 'fresh' };
    if (blocked !== undefined) {
      return { state: 'missing', reason: `needs ${blocked}, which is missing`, fix: report[blocked].fix };
    }
    log(`• ${step.title}`);
    const startedMs = Date.now();
    await step.make(log);
    log(`  done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
    return { state: 'done' };
  } catch (error) {
    if (error instanceof StepMissing) return { state: 'missing', reason: error.message, fix: error.fix };
    if (error instanceof CommandError) {
      const output = error.output === '' ? '' : `\n${error.output.replace(/^/gm, '    ')}\n `;
      return {
        state: 'missing',
        reason: `${error.message}${output}`,
        fix: 'see the output above, then run it again',
      };
    }
    return { state: 'missing', reason: error.message, fix: 'node scripts/setup.mjs' };
  }
}

async function main() {
  const { values } = parseArgs({
    options: { ci: { type: 'boolean' }, quiet: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return console.log(HELP);
  const log = values.quiet ? () => {} : console.log;
  const report = await setup({ groups: ['build', 'lab', ...(values.ci ? ['ci'] : [])], log });
  const missing = missingSteps(report);
  if (missing.length === 0) log('✓ everything is in place');
  else if (values.quiet) console.error(missing.join('\n'));
  process.exitCode = missing.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`setup: ${error.message}\nSee node scripts/setup.mjs --help`);
    process.exitCode = 64;
  });
}
