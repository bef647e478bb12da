// From event to action, and a whole fleet at once, through the real runtime, engine and journal.
import { setTimeout as sleep } from 'node:timers/promises';
import { withHealthyFleet } from '../fleet.mjs';
import { StallMeter } from '../stall-meter.mjs';

const OUTAGE_PERIOD_MS = 2_000;
const BETWEEN_MS = 25;
const PATIENCE_MS = 60_000;
/** What the note of a VM begins with that was judged: its diagnosis and cause, or what holds many together. */
const JUDGED = /^([a-z-]+ \([a-z-]+\)|shared-cause:|fleet-brake:)/;

/**
 * Times from an event to the driver being told what to do about it, one VM after the other: a panic (to `reset`) and
 * the end of the VMM's process (to `start`). Milliseconds, one an event.
 */
export function reactions({ vms, events, periodMs, ...place }) {
  return withHealthyFleet({ ...place, vms, real: events, periodMs }, async (fleet) => {
    const { specs, driver, startMs } = fleet;
    const killed = [];
    for (const vm of specs.slice(0, events)) {
      killed.push(await reaction(driver, vm, 'start', () => driver.kill(vm)));
    }
    const panicked = [];
    for (const vm of specs.slice(events, 2 * events)) {
      const event = { type: 'panicked', action: 'pause' };
      panicked.push(await reaction(driver, vm, 'reset', () => driver.emit(vm, event)));
      driver.emit(vm, { type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
    }
    return { startMs, killed, panicked };
  });
}

async function reaction(driver, vm, method, cause) {
  await sleep(BETWEEN_MS);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${vm.id}: waited in vain for ${method}`)), PATIENCE_MS);
    driver.onCall = (called, id) => {
      if (called !== method || id !== vm.id) return;
      clearTimeout(late);
      resolve(performance.now() - startedAt);
    };
    const startedAt = performance.now();
    cause();
  });
}

/** Every VM's service ends at once: until each is held or diagnosed, and how long the event loop stood still meanwhile. */
export function outage({ vms, ...place }) {
  return withHealthyFleet(
    { ...place, vms, real: 0, periodMs: OUTAGE_PERIOD_MS, policy: {} },
    async (fleet) => {
      // What the first two recoveries do is not the subject.
      fleet.driver.stuck = true;
      const meter = new StallMeter();
      const startedAt = performance.now();
      await fleet.stopResponder();
      await fleet.all((vm) => JUDGED.test(vm.note));
      const totalMs = performance.now() - startedAt;
      // A stall is noticed once it is over.
      await sleep(10);
      return { startMs: fleet.startMs, totalMs, ...meter.stop() };
    },
  );
}
