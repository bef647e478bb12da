import type { DoctorCheck } from '../check.js';
import { error, info, ok } from '../finding.js';

export const configuration: DoctorCheck = {
  id: 'configuration',
  looksAt: "The daemon's configuration and all its documents.",
  why: 'What the other checks compare the host with is what it asks for; a daemon does not start with an invalid one.',
  look: ({ demand: { source, problem, vms } }) => {
    if (problem !== null) return [error(problem, 'vmpulse config check FILE')];
    if (source === null) return [info('none was read; figures are those of the defaults, without VMs')];
    return [ok(`${source} is valid, ${vms} VMs`)];
  },
};
