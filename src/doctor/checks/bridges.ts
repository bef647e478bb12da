import type { DoctorCheck } from '../check.js';
import { type Finding, info, of, ok, warning } from '../finding.js';

export const bridges: DoctorCheck = {
  id: 'bridges',
  looksAt: 'Bridges of this host: up, and with ports.',
  why: 'Guests with TAP devices reach each other and the host through a bridge.',
  look: async ({ host, demand: { taps } }) => {
    const names = await host.list('/sys/class/net');
    const found: Finding[] = [];
    for (const name of names) {
      if ((await host.stat(`/sys/class/net/${name}/bridge`)) === undefined) continue;
      const flags = Number.parseInt((await host.read(`/sys/class/net/${name}/flags`)) ?? '0', 16);
      const ports = (await host.list(`/sys/class/net/${name}/brif`)).length;
      const seen = `is ${(flags & 1) === 1 ? 'up' : 'down'}, ${ports} ports`;
      found.push(of(name, (flags & 1) === 1 ? ok(seen) : warning(seen, `ip link set ${name} up`)));
    }
    if (found.length > 0) return found;
    const fix =
      'ip link add name br0 type bridge && ip link set br0 up && ip addr add 192.168.100.1/24 dev br0';
    return [taps.length > 0 ? warning('there is no bridge', fix) : info('there is no bridge', fix)];
  },
};
