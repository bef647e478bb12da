// CPU a probe: ours, the peers and the raw loops, at the same rate, rounds round all of them.
import { setTimeout as sleep } from 'node:timers/promises';
import { CORES } from '../cores.mjs';
import { baseline, measureWindow } from '../meter.mjs';
import { rawLoop } from '../probers/limits.mjs';
import { nodeClients, vmpulse, vmpulseOnEpoll } from '../probers/ours.mjs';
import { cpuRow } from '../report.mjs';

const START_DEADLINE_MS = 15_000;
/** More failed probes than this share are told: the figure beside them is not that of healthy targets. */
const TOLD_SHARE = 0.001;

/** Who is measured for a kind; a row's prober may ask another kind of its own (`as`). */
function planOf({ limits, haproxy, blackbox, fping, checkTcp }) {
  const raw = (mode, peer) => limits && rawLoop(limits, mode, peer);
  const epoll = raw('epoll', 'raw epoll');
  const recycled = raw('recycled', 'raw epoll, sockets used again');
  const ring = raw('io_uring', 'raw io_uring');
  const halfOpen = raw('half-open', 'raw socket, sendmmsg');
  return [
    { kind: 'tcp', by: vmpulse },
    { kind: 'tcp', by: vmpulseOnEpoll },
    { kind: 'tcp', by: haproxy },
    { kind: 'tcp', by: nodeClients },
    { kind: 'tcp', by: blackbox },
    { kind: 'tcp', by: checkTcp },
    { kind: 'tcp', by: epoll },
    { kind: 'tcp', by: epoll, as: 'tcp-full', note: 'handshake acknowledged' },
    { kind: 'tcp', by: recycled },
    { kind: 'tcp', by: ring },
    { kind: 'tcp', by: ring, as: 'tcp-recycled', note: 'sockets used again' },
    { kind: 'tcp-fin', by: vmpulse },
    { kind: 'tcp-fin', by: epoll },
    { kind: 'http', by: vmpulse },
    { kind: 'http', by: haproxy },
    { kind: 'http', by: nodeClients },
    { kind: 'http', by: blackbox },
    { kind: 'http', by: epoll },
    { kind: 'http', by: epoll, as: 'http-full', note: 'handshake acknowledged' },
    { kind: 'http', by: recycled },
    { kind: 'http', by: ring },
    { kind: 'http', by: ring, as: 'http-recycled', note: 'sockets used again' },
    { kind: 'https', by: vmpulse },
    { kind: 'https', by: haproxy },
    { kind: 'https', by: nodeClients },
    { kind: 'half-open', by: vmpulse },
    { kind: 'half-open', by: halfOpen },
    { kind: 'icmp', by: vmpulse },
    { kind: 'icmp', by: fping },
    { kind: 'icmp', by: raw('icmp', 'raw socket, sendmmsg') },
  ].filter(({ by }) => by);
}

/** No more targets than probes a second: HAProxy takes half a minute to make ten thousand TLS servers. */
function asked({ targets, rates }, kind) {
  return { targets: Math.min(targets, rates[kind]), rate: rates[kind] };
}

/** One prober for one window. */
export async function measureProber({ by, kind, targets, rate, ports, idleMs, windowMs, warmMs }) {
  const core = CORES.prober;
  const port = kind === 'https' ? ports.tls : ports.plain;
  const idle = await baseline(core, idleMs);
  const prober = await by.start({ kind, targets, rate, port });
  try {
    await begun(prober);
    await sleep(warmMs);
    const figures = await measureWindow({
      core,
      pid: prober.pid,
      count: prober.count,
      idle,
      ms: windowMs,
    });
    const failedShare = (await prober.downShare?.()) ?? figures.failedShare;
    return { ...figures, failedShare };
  } finally {
    await prober.stop();
  }
}

/** Until it probes: some read their configuration for a while. */
async function begun({ count }) {
  const first = await count();
  for (let waitedMs = 0; waitedMs < START_DEADLINE_MS; waitedMs += 50) {
    await sleep(50);
    const { ok, failed } = await count();
    // More than what others on this machine do meanwhile.
    if (ok + failed - first.ok - first.failed > 100) return;
  }
  throw new Error('no probe began');
}

/** Resolves with rows, each with the samples of its rounds. */
export async function measureProbers(context) {
  const { rounds, say } = context;
  const rows = planOf(context.peers).map((entry) => ({ ...entry, runs: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const { kind, as = kind, by } = row;
      say(`${kind} by ${by.peer} (${round + 1}/${rounds})`);
      try {
        row.runs.push(await measureProber({ ...context, ...asked(context, kind), by, kind: as }));
      } catch (error) {
        say(`${kind} by ${by.peer} failed: ${error.message}`);
      }
    }
  }
  return rows
    .filter(({ runs }) => runs.length > 0)
    .map((row) => {
      const { kind, by, note, runs } = row;
      const failed = Math.max(...runs.map(({ failedShare }) => failedShare));
      if (failed > TOLD_SHARE)
        say(`${kind} by ${by.peer}: ${(100 * failed).toFixed(1)} % of the probes were not ok`);
      const peer = note === undefined ? by.peer : `${by.peer}, ${note}`;
      return cpuRow({ ...asked(context, kind), peer, kind }, runs);
    });
}
