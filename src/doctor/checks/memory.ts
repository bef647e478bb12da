import type { DoctorCheck } from '../check.js';
import { error, type Finding, info, of, ok, warning } from '../finding.js';
import { bytesText, meminfoBytes } from '../units.js';

export const memory: DoctorCheck = {
  id: 'memory',
  looksAt: 'Available memory, and what all VMs that are built here may use together.',
  why: 'Below 3 % available no VMM is started, and the kernel may end one for want of it.',
  look: async ({ host, demand }) => {
    const meminfo = await host.read('/proc/meminfo');
    const total = meminfoBytes(meminfo, 'MemTotal');
    const available = meminfoBytes(meminfo, 'MemAvailable');
    if (total === undefined || available === undefined) return [info('/proc/meminfo does not say')];
    const findings = [now(total, available)];
    const wanted = demand.memoryMiB * 1024 ** 2;
    if (wanted > 0) findings.push(of('guests', planned(wanted, total)));
    return findings;
  },
};

function now(total: number, available: number): Finding {
  const share = available / total;
  const seen = `${bytesText(available)} of ${bytesText(total)} are available (${Math.round(share * 100)} %)`;
  const fix = 'ps -eo rss,pid,comm --sort=-rss | head';
  if (share < 0.03) return error(seen, fix);
  return share < 0.1 ? warning(seen, fix) : ok(seen);
}

function planned(wanted: number, total: number): Finding {
  const seen = `the VMs may use ${bytesText(wanted)} of ${bytesText(total)}`;
  return wanted > total * 0.95
    ? warning(seen, 'give guests less memory, or this host fewer of them')
    : ok(seen);
}
