import type { DoctorCheck } from '../check.js';
import { info, ok, warning } from '../finding.js';
import { numberOf } from '../units.js';

export const neighbours: DoctorCheck = {
  id: 'neighbours',
  looksAt: '`net.ipv4.neigh.default.gc_thresh3`, against the number of VMs.',
  why: 'Each VM on a bridge has an entry in the table of neighbours; where that is full, VMs at random are not reached.',
  look: async ({ host, demand: { vms } }) => {
    const limit = numberOf(await host.read('/proc/sys/net/ipv4/neigh/default/gc_thresh3'));
    if (limit === undefined) return [info('/proc does not say')];
    const seen = `${limit} entries, ${vms} VMs`;
    if (vms <= limit / 2) return [ok(seen)];
    const next = 2 ** Math.ceil(Math.log2(vms * 4));
    const fix = `sysctl -w net.ipv4.neigh.default.gc_thresh3=${next} net.ipv4.neigh.default.gc_thresh2=${next / 2}`;
    return [warning(seen, fix)];
  },
};
