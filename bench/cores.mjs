// Who runs where: the prober has a core to itself, what answers it another one.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [PROBER = 0, OTHERS = PROBER] = allowedCores();

/** Core of the prober, core of everything else. */
export const CORES = { prober: PROBER, others: OTHERS };

/** Spawns a program that runs on one core only. */
export function spawnOn(core, program, args, options) {
  return spawn('taskset', ['--cpu-list', String(core), program, ...args], options);
}

/** The cores that this process may use, lowest first. */
function allowedCores() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}
