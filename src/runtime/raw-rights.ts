import { readFileSync } from 'node:fs';
import type { ProbeCheck } from '../model/probe.js';

const RAW_KINDS: ReadonlySet<ProbeCheck['kind']> = new Set(['tcpHalfOpen', 'icmp', 'arp', 'ndp']);
/** Its number in linux/capability.h. */
const CAP_NET_RAW = 13n;
const WHY =
  'raw sockets need CAP_NET_RAW, so this probe stays inconclusive: run as root, or give it (systemd: AmbientCapabilities=CAP_NET_RAW)';

/** What a check lacks the right for, by the text of /proc/self/status; undefined: nothing that is known of. */
export function missingRight(check: ProbeCheck, status: string): string | undefined {
  if (!RAW_KINDS.has(check.kind)) return undefined;
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  const isMissing = mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_RAW) & 1n) === 0n;
  return isMissing ? WHY : undefined;
}

/** What the kernel says of this process; empty where it says nothing. */
export function readOwnStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1');
  } catch {
    return '';
  }
}
