import type { DoctorCheck } from '../check.js';
import { error, info, ok, warning } from '../finding.js';
import { limitOf, limitText } from '../limits.js';

export const limitNofile: DoctorCheck = {
  id: 'limit-nofile',
  looksAt: 'How many files a process may have open, against the VMs and probes.',
  why: 'Each probe under way has a socket, each VM a monitor, an agent and a pidfd; without descriptors probes are inconclusive.',
  look: async ({ host, demand: { openFiles } }) => {
    const limit = await limitOf(host, 'Max open files');
    if (limit === undefined) return [info('/proc/self/limits does not say')];
    // Node raises the soft limit to the hard one when it starts.
    const seen = `${limitText(limit.hard)} may be open here, up to ${openFiles} are needed`;
    const fix =
      'in the unit of the daemon: LimitNOFILE=65536; in /etc/security/limits.conf: root hard nofile 65536';
    if (limit.hard < openFiles) return [error(seen, fix)];
    return [limit.hard < openFiles * 1.5 ? warning(seen, fix) : ok(seen)];
  },
};
