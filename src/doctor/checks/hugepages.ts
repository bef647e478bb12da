import type { DoctorCheck } from '../check.js';
import { info } from '../finding.js';
import { bytesText, meminfoBytes, numberOf } from '../units.js';

export const hugepages: DoctorCheck = {
  id: 'hugepages',
  looksAt: 'Reserved huge pages, and transparent ones.',
  why: 'Memory of guests in huge pages costs fewer misses of the TLB; pages reserved and not used are lost to everybody else.',
  look: async ({ host }) => {
    const meminfo = await host.read('/proc/meminfo');
    const mode = /\[(\w+)\]/.exec(
      (await host.read('/sys/kernel/mm/transparent_hugepage/enabled')) ?? '',
    )?.[1];
    const total = numberOf(/^HugePages_Total:\s*(\d+)/m.exec(meminfo ?? '')?.[1]) ?? 0;
    const free = numberOf(/^HugePages_Free:\s*(\d+)/m.exec(meminfo ?? '')?.[1]) ?? 0;
    const size = meminfoBytes(meminfo, 'Hugepagesize') ?? 0;
    const transparent = `transparent ones: ${mode ?? 'not there'}`;
    if (total === 0)
      return [info(`none are reserved, ${transparent}`, 'for faster guests: sysctl -w vm.nr_hugepages=1024')];
    return [info(`${total} of ${bytesText(size)} are reserved, ${free} of them free; ${transparent}`)];
  },
};
