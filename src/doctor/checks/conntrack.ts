import type { DoctorCheck } from '../check.js';
import { error, info, ok, warning } from '../finding.js';
import { numberOf } from '../units.js';

/** A connection that ended by RST stays in the table for so long by default. */
const CLOSED_SECONDS = 10;

export const conntrack: DoctorCheck = {
  id: 'conntrack',
  looksAt: 'Size and use of the table of tracked connections, against the probes of the configuration.',
  why: 'Where it is full the kernel drops packets of new connections: of guests and of probes.',
  look: async ({ host, demand: { connectionsPerSecond } }) => {
    const [count, max] = await Promise.all([
      host.read('/proc/sys/net/netfilter/nf_conntrack_count').then(numberOf),
      host.read('/proc/sys/net/netfilter/nf_conntrack_max').then(numberOf),
    ]);
    if (count === undefined || max === undefined || max === 0)
      return [ok('connections are not tracked here')];
    const ours = Math.ceil(connectionsPerSecond * CLOSED_SECONDS);
    const share = (count + ours) / max;
    const seen = `${count} of ${max} are in use, probes need up to ${ours}`;
    const fix = `sysctl -w net.netfilter.nf_conntrack_max=${Math.max(262_144, max * 2)}`;
    if (count / max > 0.95) return [error(seen, fix)];
    if (share > 0.8) return [warning(seen, fix)];
    return [share > 0.5 ? info(seen, fix) : ok(seen)];
  },
};
