import { percentiles } from '../report.mjs';
import { canIsolate } from '../run-job.mjs';

/** From what really happens to the policy being told of it. */
export async function measureSignals({ run, say, calmPeriodMs, signalled }) {
  const isolated = canIsolate();
  if (!isolated) say('left out: a TAP device goes down (no network namespace can be made here)');
  const { killed, written, downed } = await run('signals', {
    ...signalled,
    periodMs: calmPeriodMs,
    isolated,
  });
  const rows = (name, samples) => percentiles({ kind: 'signal', targets: signalled.vms, name }, samples);
  return [
    ...rows('VMM killed → policy told', killed),
    ...rows('event at a monitor → policy told', written),
    ...(downed.length === 0 ? [] : rows('TAP down or up → policy told', downed)),
  ];
}
