import { readHostSigns } from '../../dist/runtime/host-signs.js';
import { figure, percentile } from '../report.mjs';

/** The whole runtime but the hypervisor: real supervisor, engine, thresholds and journal; a driver that answers at once. */
export async function measureSupervisor({ run, longRounds, fleets, events }) {
  const results = [];
  for (const vms of isPressed() ? [] : fleets) {
    const { killed, panicked } = await run('reactions', { vms, events: Math.min(events, vms / 2) });
    results.push(...percentiles('VMM killed → start issued', vms, killed));
    results.push(...percentiles('panic event → reset issued', vms, panicked));
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

function percentiles(name, vms, samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return [0.5, 0.99].map((share) =>
    figure(
      { kind: 'reaction', targets: vms, name: `${name}, p${share * 100}`, unit: 'ms' },
      samples,
      percentile(sorted, share),
    ),
  );
}
