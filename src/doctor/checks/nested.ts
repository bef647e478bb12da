import type { DoctorCheck } from '../check.js';
import { info } from '../finding.js';

export const nested: DoctorCheck = {
  id: 'nested',
  looksAt: '`/sys/module/kvm_*/parameters/nested`.',
  why: 'Only then can guests run KVM guests of their own.',
  look: async ({ host }) => {
    for (const module of ['kvm_intel', 'kvm_amd', 'kvm']) {
      const value = (await host.read(`/sys/module/${module}/parameters/nested`))?.trim();
      if (value === undefined) continue;
      const isOn = value === 'Y' || value === '1';
      return [
        isOn
          ? info(`guests may run KVM themselves (${module})`)
          : info(
              `guests cannot run KVM themselves (${module})`,
              `only if they should: echo "options ${module} nested=1" > /etc/modprobe.d/nested.conf, and load it anew`,
            ),
      ];
    }
    return [info('no module of KVM says')];
  },
};
