// fping as a prober of ICMP: one process, all addresses, round after round.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CORES, spawnOn } from '../cores.mjs';
import { icmpProbes } from '../kernel-counters.mjs';
import { loopbackAddress } from '../responder.mjs';
import { findProgram } from './debian.mjs';

/** fping keeps each of 65,535 sequence numbers for ten seconds, and ends itself when it has none left. */
const MOST_A_SECOND = 6_000;

/** Undefined where it is missing. */
export function fping(dir) {
  const program = findProgram('fping');
  return program && { peer: 'fping', start: (job) => start(program, dir, job) };
}

async function start(program, parent, { targets, rate }) {
  const dir = await mkdtemp(join(parent, 'fping-'));
  const file = join(dir, 'targets');
  await writeFile(file, Array.from({ length: targets }, (_, n) => `${loopbackAddress(n)}\n`).join(''));
  const periodMs = Math.ceil((targets / Math.min(rate, MOST_A_SECOND)) * 1000);
  // Without a pause between two packets (root may), so that only the period sets the rate.
  const args = ['-q', '-l', '-i', '0', '-p', String(periodMs), '-f', file];
  const child = spawnOn(CORES.prober, program.path, args, { env: program.env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  return {
    pid: child.pid,
    count: async () => icmpProbes(),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
