import { BlockList, isIP } from 'node:net';

/** Where clouds and hosts keep what is theirs alone: link-local addresses, and metadata services outside of them. */
const OURS = new BlockList();
OURS.addSubnet('169.254.0.0', 16, 'ipv4');
OURS.addSubnet('fe80::', 10, 'ipv6');
OURS.addAddress('fd00:ec2::254', 'ipv6');
OURS.addAddress('fd20:ce::254', 'ipv6');
OURS.addAddress('100.100.100.200', 'ipv4');

/**
 * True for link-local and metadata addresses, IPv4 within IPv6 included. A name may be the guest's to define, so such an
 * address is probed only if it is written as one.
 */
export function isMetadataAddress(ip: string): boolean {
  return OURS.check(ip.replace(/%.*$/, ''), isIP(ip) === 6 ? 'ipv6' : 'ipv4');
}
