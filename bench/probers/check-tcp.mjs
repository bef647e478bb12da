// check_tcp of the monitoring plugins, as Nagios and its heirs run it: a process a check. xargs starts one after the
// other, which costs less than any scheduler of theirs.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CORES, spawnOn } from '../cores.mjs';
import { tcpProbes } from '../kernel-counters.mjs';
import { loopbackAddress } from '../responder.mjs';
import { findProgram } from './debian.mjs';

/** Undefined where it is missing. */
export function checkTcp() {
  const program = findProgram('check_tcp');
  return program && { peer: 'check_tcp', start: (job) => start(program, job) };
}

function start(program, { targets, port }) {
  const args = ['-n', '1', program.path, '-p', String(port), '-t', '5', '-H'];
  const child = spawnOn(CORES.prober, 'xargs', args, {
    env: program.env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  // As fast as they are taken; it ends with the pipe.
  const fed = pipeline(Readable.from(addresses(targets)), child.stdin).catch(() => {});
  return {
    pid: child.pid,
    count: async () => tcpProbes(),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
      await fed;
    },
  };
}

function* addresses(targets) {
  for (let n = 0; ; n = (n + 1) % targets) yield `${loopbackAddress(n)}\n`;
}
