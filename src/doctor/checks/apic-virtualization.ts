import type { DoctorCheck } from '../check.js';
import { info } from '../finding.js';

const PARAMETERS = [
  ['kvm_intel', 'enable_apicv'],
  ['kvm_amd', 'avic'],
] as const;

export const apicVirtualization: DoctorCheck = {
  id: 'apic-virtualization',
  looksAt: 'APICv (Intel) or AVIC (AMD), as the module has it.',
  why: "With it a guest's timer interrupts need no exit, so that exits alone do not tell whether its vCPUs move.",
  look: async ({ host }) => {
    for (const [module, parameter] of PARAMETERS) {
      const value = (await host.read(`/sys/module/${module}/parameters/${parameter}`))?.trim();
      if (value !== undefined) {
        const isOn = value === 'Y' || value === '1';
        return [info(`${parameter} of ${module} is ${isOn ? 'on' : 'off'}`)];
      }
    }
    return [info('no module of KVM says')];
  },
};
