import type { DoctorCheck } from '../check.js';
import { error, info, ok, warning } from '../finding.js';
import { namesText } from '../units.js';

export const tun: DoctorCheck = {
  id: 'tun',
  looksAt: '`/dev/net/tun`.',
  why: 'A guest on a bridge is connected through it.',
  look: async ({ host, demand: { taps } }) => {
    const device = await host.stat('/dev/net/tun');
    const fix = 'modprobe tun';
    if (device?.type !== 'character-device') {
      if (taps.length === 0) return [info('there is no /dev/net/tun: only user-mode networking works', fix)];
      return [
        error(`there is no /dev/net/tun; ${namesText(taps.map(({ vm }) => vm))} have a TAP device`, fix),
      ];
    }
    if (host.user.uid === 0 || (device.mode & 0o006) === 0o006 || host.user.gids.includes(device.gid))
      return [ok('/dev/net/tun is there, and this user may open it')];
    return [
      warning(
        '/dev/net/tun is there, and this user may not open it',
        'udevadm trigger /dev/net/tun, whose rule sets the usual mode',
      ),
    ];
  },
};
