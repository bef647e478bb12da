// HAProxy as a prober: its health checks, one thread, one backend of as many servers as there are targets.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CORES, spawnOn } from '../cores.mjs';
import { tcpProbes } from '../kernel-counters.mjs';
import { loopbackAddress } from '../responder.mjs';
import { findProgram } from './debian.mjs';

const START_DEADLINE_MS = 30_000;
const HTTP = ['option httpchk', 'http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host 127.0.0.1'];
const CHECKS = {
  tcp: { options: [], flags: '' },
  http: { options: HTTP, flags: '' },
  https: { options: HTTP, flags: ' check-ssl verify none no-ssl-reuse' },
};

/** Undefined where it is missing. */
export function haproxy(dir) {
  const program = findProgram('haproxy');
  return program && { peer: 'HAProxy', start: (job) => start(program, dir, job) };
}

async function start(program, parent, job) {
  const dir = await mkdtemp(join(parent, 'haproxy-'));
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, configuration(dir, job));
  // In the foreground, without a master: the child is the prober.
  const child = spawnOn(CORES.prober, program.path, ['-db', '-f', file], {
    env: program.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-2000);
  });
  const ended = once(child, 'exit');
  child.once('exit', (code) => {
    if (code) process.stderr.write(`haproxy ended with ${code}: ${said}\n`);
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await allUp(dir, job.targets);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid: child.pid,
    // It tells no counts that are cheap to read; nobody else on this machine connects that often.
    count: async () => tcpProbes(),
    downShare: () => downShare(dir, job.targets),
    stop,
  };
}

/** It reads thousands of servers for a while, and calls one up when its first check has ended. */
async function allUp(dir, targets) {
  const endsAt = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const down = await downShare(dir, targets).catch((error) => error);
    if (down === 0) return;
    if (performance.now() > endsAt) throw new Error(`HAProxy does not get its servers up: ${down}`);
    await sleep(100);
  }
}

/** Share of the servers that HAProxy does not call up. */
async function downShare(dir, targets) {
  const socket = connect(join(dir, 'stats.sock'));
  socket.end('show stat targets 2 -1\n');
  const [head, row] = (await text(socket)).split('\n').map((line) => line.replace(/^# /, '').split(','));
  return 1 - Number(row[head.indexOf('act')]) / targets;
}

function configuration(dir, { kind, targets, rate, port }) {
  const { options, flags } = CHECKS[kind];
  const interMs = Math.max(1, Math.round((targets / rate) * 1000));
  const servers = Array.from(
    { length: targets },
    (_, n) =>
      `  server s${n} ${loopbackAddress(n)}:${port} check inter ${interMs} fastinter ${interMs} downinter ${interMs}${flags}`,
  );
  return `global
  nbthread 1
  maxconn 100
  stats socket ${dir}/stats.sock
defaults
  mode tcp
  timeout connect 1s
  timeout server 1s
  timeout client 1s
  timeout check 1s
frontend unused
  bind unix@${dir}/unused.sock
backend targets
${options.map((option) => `  ${option}`).join('\n')}
${servers.join('\n')}
`;
}
