import type { DoctorCheck } from '../check.js';
import { info, ok, warning } from '../finding.js';

export const ports: DoctorCheck = {
  id: 'ports',
  looksAt: '`net.ipv4.ip_local_port_range`, against the connections that probes have open at once.',
  why: 'A connection to one place needs a port of its own here; once half of them are taken the search for one gets slow, without one a probe is inconclusive.',
  look: async ({ host, demand: { connectionsAtOnce, connectionsPerSecond } }) => {
    const range = /^(\d+)\s+(\d+)/.exec((await host.read('/proc/sys/net/ipv4/ip_local_port_range')) ?? '');
    if (range === null) return [info('/proc does not say')];
    const free = Number(range[2]) - Number(range[1]) + 1;
    const seen = `${range[1]}-${range[2]}, ${free} ports; probes make ${Math.ceil(connectionsPerSecond)} connections a second, up to ${connectionsAtOnce} at once`;
    if (free >= connectionsAtOnce * 2) return [ok(seen)];
    return [warning(seen, 'sysctl -w net.ipv4.ip_local_port_range="10240 65535"')];
  },
};
