import type { DoctorCheck } from '../check.js';
import { info, ok, warning } from '../finding.js';

export const load: DoctorCheck = {
  id: 'load',
  looksAt: 'Load average and number of CPUs.',
  why: 'With several processes a CPU waiting for their turn, guests and probes are late.',
  look: async ({ host }) => {
    const minute = Number(/^([0-9.]+) ([0-9.]+)/.exec((await host.read('/proc/loadavg')) ?? '')?.[2]);
    const cpus = ((await host.read('/proc/stat')) ?? '').match(/^cpu\d+ /gm)?.length ?? 0;
    if (!Number.isFinite(minute) || cpus === 0) return [info('/proc does not say')];
    const seen = `${minute} over 5 minutes on ${cpus} CPUs`;
    return [minute > 4 * cpus ? warning(seen, 'top; move VMs to another host') : ok(seen)];
  },
};
