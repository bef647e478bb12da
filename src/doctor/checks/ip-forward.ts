import type { DoctorCheck } from '../check.js';
import { type Finding, info, of, ok, warning } from '../finding.js';

const FILES = [
  ['IPv4', 'net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
  ['IPv6', 'net.ipv6.conf.all.forwarding', '/proc/sys/net/ipv6/conf/all/forwarding'],
] as const;

export const ipForward: DoctorCheck = {
  id: 'ip-forward',
  looksAt: '`net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding`.',
  why: 'Without it guests behind a bridge with NAT reach the host only.',
  look: ({ host, demand: { taps } }) =>
    Promise.all(
      FILES.map(async ([family, name, path]) =>
        of(family, judge(name, await host.read(path), family === 'IPv4' && taps.length > 0)),
      ),
    ),
};

function judge(name: string, text: string | undefined, isWanted: boolean): Finding {
  if (text === undefined) return info('the kernel has no such family');
  if (text.trim() !== '0') return ok(`${name} is on`);
  const fix = `sysctl -w ${name}=1, and for the next boot: echo ${name}=1 > /etc/sysctl.d/60-vmpulse.conf`;
  return isWanted ? warning(`${name} is off`, fix) : info(`${name} is off`, fix);
}
