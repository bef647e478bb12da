import type { DoctorCheck } from '../check.js';
import { info, ok } from '../finding.js';
import { limitOf, limitText } from '../limits.js';

export const limitMemlock: DoctorCheck = {
  id: 'limit-memlock',
  looksAt: 'How much memory a process may lock.',
  why: 'Guests with passed-through devices (VFIO) or `-overcommit mem-lock` lock all of their memory.',
  look: async ({ host }) => {
    const limit = await limitOf(host, 'Max locked memory');
    if (limit === undefined) return [info('/proc/self/limits does not say')];
    if (limit.hard === Number.POSITIVE_INFINITY) return [ok('unlimited')];
    return [
      info(
        `${limitText(limit.hard)} bytes`,
        'only for guests that lock their memory: LimitMEMLOCK=infinity in the unit of the daemon',
      ),
    ];
  },
};
