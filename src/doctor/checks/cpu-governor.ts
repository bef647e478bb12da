import type { DoctorCheck } from '../check.js';
import { info, ok } from '../finding.js';

export const cpuGovernor: DoctorCheck = {
  id: 'cpu-governor',
  looksAt: 'The frequency governor of the CPUs.',
  why: 'One that saves power lets guests and probes begin late.',
  look: async ({ host }) => {
    const cpus = (await host.list('/sys/devices/system/cpu')).filter((name) => /^cpu\d+$/.test(name));
    const read = await Promise.all(
      cpus.map((cpu) => host.read(`/sys/devices/system/cpu/${cpu}/cpufreq/scaling_governor`)),
    );
    const governors = [...new Set(read.flatMap((text) => text?.trim() ?? []))].sort();
    if (governors.length === 0) return [ok('the host sets no frequency (as on most VMs)')];
    if (governors.join() === 'performance') return [ok('performance')];
    return [
      info(
        governors.join(', '),
        'for steady latency: echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor',
      ),
    ];
  },
};
