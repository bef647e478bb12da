// What a scrape of a large host takes, and how long it keeps the host program's own loop from anything else.
import { setTimeout as sleep } from 'node:timers/promises';
import { withHealthyFleet } from '../fleet.mjs';
import { threadUs } from '../meter.mjs';
import { percentile } from '../report.mjs';

const FLAP_MS = 1_000;
const BETWEEN_MS = 500;
/** A stall is noticed once it is over, ms. */
const AFTER_MS = 5;

/** `changing` VMs change their readiness every second. The loop's delay is that of the time in which a scrape runs. */
export function scrapes({ vms, changing, periodMs, count, dir }) {
  return withHealthyFleet({ dir, vms, real: 0, periodMs, changing }, async (fleet) => {
    fleet.flap(FLAP_MS);
    const first = await timed(() => fleet.render('identity'));
    const delays = [];
    const [plain, zipped] = [[], []];
    for (let n = 0; n < count; n++) {
      for (const [encoding, list] of [
        ['identity', plain],
        ['gzip', zipped],
      ]) {
        await sleep(BETWEEN_MS);
        const stop = noteDelays(delays);
        list.push(await timed(() => fleet.render(encoding)));
        await sleep(AFTER_MS);
        stop();
      }
    }
    delays.sort((a, b) => a - b);
    return {
      firstMs: first.ms,
      plainMs: plain.map(({ ms }) => ms),
      zippedMs: zipped.map(({ ms }) => ms),
      mainMs: plain.map(({ mainMs }) => mainMs),
      plainBytes: plain.at(-1).bytes,
      zippedBytes: zipped.at(-1).bytes,
      delayP99Ms: percentile(delays, 0.99),
      delayMaxMs: delays.at(-1),
    };
  });
}

/** Adds the times between two rounds of the loop, ms, until the result is called. Node's monitor also counts the time in which it was off. */
function noteDelays(delays) {
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    delays.push(nowMs - lastMs);
    lastMs = nowMs;
  }, 1);
  return () => clearInterval(timer);
}

async function timed(render) {
  const [startedAt, us] = [performance.now(), threadUs(process.pid, process.pid)];
  const body = await render();
  const mainMs = (threadUs(process.pid, process.pid) - us) / 1000;
  return { ms: performance.now() - startedAt, mainMs, bytes: body.byteLength };
}
