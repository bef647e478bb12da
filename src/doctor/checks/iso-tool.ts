import type { DoctorCheck } from '../check.js';
import { info, ok } from '../finding.js';

const TOOLS = ['cloud-localds', 'xorriso', 'genisoimage', 'mkisofs'];

export const isoTool: DoctorCheck = {
  id: 'iso-tool',
  looksAt: 'cloud-localds, xorriso, genisoimage, mkisofs.',
  why: 'One of them makes the seed ISO that cloud-init in a guest reads.',
  look: async ({ host }) => {
    for (const name of TOOLS) {
      const path = await host.findProgram(name);
      if (path !== undefined) return [ok(`${path} is there`)];
    }
    return [info(`none of ${TOOLS.join(', ')} is there: no seed ISO can be made`, 'apt-get install xorriso')];
  },
};
