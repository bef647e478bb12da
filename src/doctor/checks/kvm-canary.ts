import type { DoctorCheck } from '../check.js';
import { error, info, ok, warning } from '../finding.js';

const DEADLINE_MS = 2_000;

export const kvmCanary: DoctorCheck = {
  id: 'kvm-canary',
  looksAt: 'A throw-away guest of a few instructions, run on KVM.',
  why: 'That /dev/kvm is there does not say that this host executes guests now.',
  look: async ({ host, demand, call }) => {
    const device = await host.stat('/dev/kvm');
    if (device === undefined) return [info('not run: there is no /dev/kvm')];
    if (!host.kernelAddon().loaded) return [info('not run: the kernel addon is missing, which runs it')];
    const state = await host.kvmCanary({ ...call, deadlineMs: Math.min(DEADLINE_MS, call.deadlineMs) });
    if (state.ok) return [ok(`a guest ran, in ${state.elapsedMs.toFixed(1)} ms`)];
    const seen = `the guest did not run: ${state.why}`;
    const fix = 'dmesg | grep -i kvm; on a nested host ask for nested virtualization';
    return [demand.kvmOnly.length > 0 ? error(seen, fix) : warning(seen, fix)];
  },
};
