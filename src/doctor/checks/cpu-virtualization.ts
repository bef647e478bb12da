import type { DoctorCheck } from '../check.js';
import { error, info, ok, warning } from '../finding.js';

export const cpuVirtualization: DoctorCheck = {
  id: 'cpu-virtualization',
  looksAt: '`vmx` or `svm` among the flags of the CPU, and whether this host is itself a guest.',
  why: 'With /dev/kvm and neither, Linux guests may hang on KVM; vmpulse then emulates what says accel: auto.',
  look: async ({ host, demand }) => {
    const cpuinfo = await host.read('/proc/cpuinfo');
    const flags = /^flags\s*:(.*)$/m
      .exec(cpuinfo ?? '')?.[1]
      ?.trim()
      .split(/\s+/);
    if (flags === undefined) return [info('the CPU does not list flags (only x86 does)')];
    const nested = flags.includes('hypervisor') ? '; this host is a guest itself' : '';
    const found = ['vmx', 'svm'].find((flag) => flags.includes(flag));
    if (found !== undefined) return [ok(`the CPU has ${found}${nested}`)];
    const seen = `the CPU shows neither vmx nor svm${nested}`;
    const fix =
      nested === ''
        ? 'enable virtualization in the firmware'
        : 'enable nested virtualization where this host runs';
    if (demand.kvmOnly.length > 0) return [error(`${seen}; ${demand.kvmOnly.join(', ')} ask for KVM`, fix)];
    return [warning(seen, fix)];
  },
};
