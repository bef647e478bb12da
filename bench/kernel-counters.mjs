// What the kernel counted of everybody's probes: the figure for probers that do not tell their own.
import { readFileSync } from 'node:fs';

/** One protocol's counters of /proc/net/snmp. */
function snmp(protocol) {
  const lines = readFileSync('/proc/net/snmp', 'latin1').split('\n');
  // Without a line nothing was counted yet.
  const [names = [], values = []] = lines
    .filter((line) => line.startsWith(`${protocol}: `))
    .map((line) => line.split(' '));
  return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]));
}

/** TCP connections begun. What became of them is not told: a server counts a connection reset early as failed, too. */
export function tcpProbes() {
  return { ok: snmp('Tcp').ActiveOpens, failed: 0 };
}

/** Echo replies that came. */
export function icmpProbes() {
  return { ok: snmp('IcmpMsg').InType0 ?? 0, failed: 0 };
}
