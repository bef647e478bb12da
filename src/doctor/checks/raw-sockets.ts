import { hasCapability } from '../capabilities.js';
import type { DoctorCheck } from '../check.js';
import { error, info, ok } from '../finding.js';
import { namesText } from '../units.js';

export const rawSockets: DoctorCheck = {
  id: 'raw-sockets',
  looksAt: 'The right to open raw sockets (CAP_NET_RAW).',
  why: 'Probes of kind icmp, arp, ndp and tcpHalfOpen need it.',
  look: async ({ host, demand: { rawProbes } }) => {
    const has = await hasCapability(host, 'CAP_NET_RAW');
    if (has === undefined) return [info('/proc/self/status does not say')];
    if (has) return [ok('this user may open them')];
    const fix = 'run vmpulse as root, or: AmbientCapabilities=CAP_NET_RAW in its unit';
    if (rawProbes.length === 0) return [info('this user may not open them', fix)];
    return [error(`this user may not open them; needed by ${namesText(rawProbes)}`, fix)];
  },
};
