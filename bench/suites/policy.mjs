import { figure } from '../report.mjs';

/** Policy and thresholds by themselves. */
export async function measurePolicy({ run, rounds, fleet, stepMs }) {
  const steps = await run('policySteps', { vms: fleet, rounds, timeMs: stepMs });
  const outages = [];
  for (let round = 0; round < rounds; round++) outages.push(await run('policyOutage', { vms: fleet }));
  const of = { kind: 'policy', targets: fleet };
  const one = { kind: 'thresholds', targets: 1 };
  const results = [
    figure({ ...of, name: 'policy step, nothing changed', unit: 'µs' }, steps.stepUs),
    figure(
      { ...of, name: 'policy, all VMs fail and are judged', unit: 'ms' },
      outages.map((round) => round.totalMs),
    ),
    figure(
      { ...of, name: 'policy, longest step of that', unit: 'ms' },
      outages.map((round) => round.worstMs),
    ),
    figure({ ...of, name: 'policy state to text, all VMs touched', unit: 'ms' }, steps.storeAllMs),
    figure({ ...of, name: 'policy state to text, one VM touched', unit: 'ms' }, steps.storeOneMs),
    figure({ ...of, name: 'policy state from text', unit: 'ms' }, steps.restoreMs),
    figure({ ...of, name: 'policy state, bytes a VM', unit: 'B' }, [steps.stateBytes / fleet]),
    figure({ ...one, name: 'thresholds step, TypeScript', unit: 'ns' }, steps.thresholdNs),
  ];
  return results;
}
