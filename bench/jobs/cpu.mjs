import { setTimeout as sleep } from 'node:timers/promises';

/** CPU time of this process so far, all threads, user and system, microseconds (getrusage). */
function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU that this process takes while nothing is probed, µs a second. */
export async function idleUsPerSecond(ms) {
  const [before, startedAt] = [cpuUs(), performance.now()];
  await sleep(ms);
  return ((cpuUs() - before) * 1000) / (performance.now() - startedAt);
}

/**
 * CPU per probe over a while, idle share taken off. `count()`: probes so far as `{ started, ok, failed }`.
 * Resolves with `{ cpuUs, rate, failedShare }`.
 */
export async function cpuPerProbe(count, ms, idleUs) {
  const [before, first, startedAt] = [cpuUs(), count(), performance.now()];
  await sleep(ms);
  const [after, last, seconds] = [cpuUs(), count(), (performance.now() - startedAt) / 1000];
  const ended = last.ok + last.failed - first.ok - first.failed;
  if (ended === 0) throw new Error('no probe ended');
  return {
    cpuUs: (after - before - idleUs * seconds) / ended,
    rate: ended / seconds,
    failedShare: (last.failed - first.failed) / ended,
  };
}
