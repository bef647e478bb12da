import type { DoctorCheck } from '../check.js';
import { info, ok } from '../finding.js';

export const serviceManager: DoctorCheck = {
  id: 'service-manager',
  looksAt: 'systemd (`/run/systemd/system`) and systemd-run.',
  why: 'With it each VMM gets a scope of its own, with limits, and is not ended with the daemon.',
  look: async ({ host }) => {
    if ((await host.stat('/run/systemd/system')) === undefined)
      return [info('systemd does not run here: VMMs get a session of their own, and no limits')];
    if ((await host.findProgram('systemd-run')) === undefined)
      return [info('systemd runs, systemd-run is missing', 'apt-get install systemd')];
    return [ok('systemd runs')];
  },
};
