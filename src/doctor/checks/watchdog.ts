import type { DoctorCheck } from '../check.js';
import { info } from '../finding.js';

export const watchdog: DoctorCheck = {
  id: 'watchdog',
  looksAt: 'Hardware watchdogs of the host, by what /sys says of them; the device is never opened.',
  why: 'One can reset a host that hangs. To open it arms it, which is why this check does not.',
  look: async ({ host }) => {
    const names = (await host.list('/sys/class/watchdog')).filter((name) => /^watchdog\d+$/.test(name));
    if (names.length === 0) return [info('the host has none', 'for one in software: modprobe softdog')];
    const found = await Promise.all(
      names.map(async (name) => {
        const read = (file: string) =>
          host.read(`/sys/class/watchdog/${name}/${file}`).then((text) => text?.trim());
        const [identity, state, nowayout] = await Promise.all([
          read('identity'),
          read('state'),
          read('nowayout'),
        ]);
        const stops = nowayout === '1' ? ', cannot be stopped once armed (nowayout)' : '';
        return `${name}: ${identity ?? 'without a name'}, ${state ?? 'state unknown'}${stops}`;
      }),
    );
    return [info(found.join('; '))];
  },
};
