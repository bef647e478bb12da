// What the host program's own thread pays for ten thousand probes a second and a hundred changes of state a second,
// with policy, journal and a scrape every five seconds.
import { setTimeout as sleep } from 'node:timers/promises';
import { withHealthyFleet } from '../fleet.mjs';
import { threadUs } from '../meter.mjs';

const PERIOD_MS = 2000;
const SCRAPE_MS = 5000;

/**
 * `changing` VMs change their readiness every period. `settleMs`: what is adopted is asked anew until each probe has spoken,
 * which is a start, and not what is measured.
 */
export function mainThread({ vms, changing, settleMs, measureMs, dir }) {
  return withHealthyFleet({ dir, vms, real: 0, periodMs: PERIOD_MS, changing }, async (fleet) => {
    fleet.flap(PERIOD_MS);
    await sleep(settleMs);
    const before = counts(await fleet.scrape());
    // Not fleet.scrape(): to read megabytes as text is the work of who measures.
    const scrapes = setInterval(() => void fleet.render('identity'), SCRAPE_MS);
    const [us, startedAt] = [threadUs(process.pid, process.pid), performance.now()];
    await sleep(measureMs);
    const [endUs, seconds] = [threadUs(process.pid, process.pid), (performance.now() - startedAt) / 1000];
    clearInterval(scrapes);
    const after = counts(await fleet.scrape());
    return {
      share: (endUs - us) / 1e6 / seconds,
      probesPerSecond: (after.probes - before.probes) / seconds,
      failuresPerSecond: (after.failures - before.failures) / seconds,
    };
  });
}

/** Sums over the lines of a scrape. */
function counts(text) {
  const sum = (name) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
  return {
    probes: sum('vmpulse_engine_probes_started_total'),
    failures: sum('vmpulse_health_checks_failed_total'),
  };
}
