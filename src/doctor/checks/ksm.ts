import type { DoctorCheck } from '../check.js';
import { info } from '../finding.js';
import { bytesText, numberOf } from '../units.js';

const PAGE_BYTES = 4096;

export const ksm: DoctorCheck = {
  id: 'ksm',
  looksAt: 'Kernel same-page merging.',
  why: 'It saves memory among guests that are alike, for CPU time; guests can learn from it what others hold.',
  look: async ({ host }) => {
    const run = (await host.read('/sys/kernel/mm/ksm/run'))?.trim();
    if (run === undefined) return [info('the kernel has none')];
    if (run !== '1')
      return [info('is off', 'only among guests that trust each other: echo 1 > /sys/kernel/mm/ksm/run')];
    const shared = numberOf(await host.read('/sys/kernel/mm/ksm/pages_sharing')) ?? 0;
    return [info(`is on, saves ${bytesText(shared * PAGE_BYTES)}`)];
  },
};
