import { readHostSigns } from '../../dist/runtime/host-signs.js';
import { figure, percentiles } from '../report.mjs';

/** The whole runtime but the hypervisor: real supervisor, engine, thresholds and journal; a driver that answers at once. */
export async function measureSupervisor({ run, longRounds, fleets, calmPeriodMs, events }) {
  const results = [];
  for (const vms of isPressed() ? [] : fleets) {
    const { killed, panicked } = await run('reactions', {
      ...{ vms, periodMs: calmPeriodMs },
      events: Math.min(events, vms / 2),
    });
    const rows = (name, samples) => percentiles({ kind: 'reaction', targets: vms, name }, samples);
    results.push(...rows('VMM killed → start issued', killed));
    results.push(...rows('panic event → reset issued', panicked));
  }
  for (const vms of fleets) {
    const outages = [];
    for (let round = 0; round < longRounds; round++) outages.push(await run('outage', { vms }));
    const row = (name, field) =>
      figure(
        { kind: 'outage', targets: vms, name, unit: 'ms' },
        outages.map((outage) => outage[field]),
      );
    results.push(row('supervisor start, all VMs adopted', 'startMs'));
    results.push(row('all VMs fail, until all are judged', 'totalMs'));
    results.push(row('longest event loop stall of that', 'stallMs'));
    results.push(row('longest time on a core between two rounds', 'cpuMs'));
    results.push(row('longest garbage collection of that', 'gcMs'));
  }
  return results;
}

/** Under pressure the policy spaces boots by seconds, on purpose: what is measured then is that. */
function isPressed() {
  const { pressure } = readHostSigns({ shutdown: null, pressure: null }, Date.now());
  if (pressure !== null)
    process.stderr.write(`left out: VMM killed, panic (the host is under pressure: ${pressure})\n`);
  return pressure !== null;
}
