// CPU time as the kernel counts it, two ways: of a core, and of a process with its children.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** USER_HZ is 100 on every Linux that Node runs on. */
const US_A_TICK = 10_000;
/** So many times what can be noise a figure has to be: at most a third of it is noise then. */
const LEAST_OVER_NOISE = 3;

/** Time that a core has not idled, µs: user, system, interrupts, softirq. Idle time is exact, the rest is what remains. */
function busyUs(core, nowUs) {
  const line = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .find((row) => row.startsWith(`cpu${core} `));
  const [, , , idle, iowait] = line.trim().split(/\s+/).slice(1).map(Number);
  return nowUs - (idle + iowait) * US_A_TICK;
}

/**
 * On-CPU time of a process and its descendants, all threads, µs, to the nanosecond (schedstat); of those that have ended, to
 * the tick. Softirqs that interrupt them are in it.
 */
export function treeUs(pid) {
  let us = endedUs(pid);
  for (const tid of entries(`/proc/${pid}/task`)) {
    us += threadUs(pid, tid);
    for (const child of text(`/proc/${pid}/task/${tid}/children`).split(' ')) {
      if (child !== '') us += treeUs(Number(child));
    }
  }
  return us;
}

/** Of the children of a process that have ended, with theirs: user and system. */
function endedUs(pid) {
  const stat = text(`/proc/${pid}/stat`);
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(13, 15)
    .map(Number);
  return (user + system) * US_A_TICK;
}

export function threadUs(pid, tid) {
  return Number(text(`/proc/${pid}/task/${tid}/schedstat`).split(' ')[0]) / 1000;
}

/** Resident memory of a process and its descendants, bytes. */
export function treeRssBytes(pid) {
  const own = Number(/^VmRSS:\s+(\d+) kB$/m.exec(text(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  const children = text(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + treeRssBytes(Number(child)), own);
}

/** The baseline: share of a core that is busy while nothing of ours runs on it, and how far that may be wrong. */
export async function baseline(core, ms) {
  const [before, startedUs] = [busyUs(core, nowUs()), nowUs()];
  await sleep(ms);
  const endedUs = nowUs();
  const elapsed = endedUs - startedUs;
  const share = (busyUs(core, endedUs) - before) / elapsed;
  // Whoever was busy before may be gone in the window, and idle time is told in whole ticks.
  return { share, noise: Math.abs(share) + US_A_TICK / elapsed };
}

/**
 * CPU per probe over `ms`. `count()` resolves with probes so far, `{ ok, failed }`; `idle` is of `baseline` before.
 * Both ways of counting: `core` is the core's busy time less its idle share, `tree` the process tree's own. Of each `us` a probe,
 * and whether it is above the noise.
 */
export async function measureWindow({ core, pid, count, idle, ms }) {
  const look = async () => {
    const told = await count();
    const now = nowUs();
    return { told, ok: told.ok, failed: told.failed, now, busy: busyUs(core, now), tree: treeUs(pid) };
  };
  const first = await look();
  await sleep(ms);
  const last = await look();
  if (last.tree === 0) throw new Error('the prober ended meanwhile');
  const [elapsed, ended] = [last.now - first.now, last.ok + last.failed - first.ok - first.failed];
  if (ended <= 0) throw new Error('no probe ended');
  const busy = last.busy - first.busy;
  const tree = last.tree - first.tree;
  const cost = (us, noiseUs) => ({ us: us / ended, isMeasured: us >= LEAST_OVER_NOISE * noiseUs });
  return {
    core: cost(busy - idle.share * elapsed, idle.noise * elapsed + US_A_TICK),
    // What ended is told to the tick, and what runs is counted up to its last one.
    tree: cost(tree, US_A_TICK),
    rate: (ended * 1e6) / elapsed,
    failedShare: (last.failed - first.failed) / ended,
    /** What others took of the core meanwhile. */
    foreignShare: (busy - tree) / elapsed,
    /** What the prober told at the end, for the time of the window. */
    told: last.told,
  };
}

function nowUs() {
  return performance.now() * 1000;
}

/** Empty once the process is gone. */
function text(path) {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

function entries(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
