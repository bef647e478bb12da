import type { DoctorCheck } from '../check.js';
import { error, info, ok } from '../finding.js';
import { namesText } from '../units.js';

export const vsock: DoctorCheck = {
  id: 'vsock',
  looksAt: '`/dev/vhost-vsock`.',
  why: 'Through it a guest is asked without a network; sockets of Cloud Hypervisor and Firecracker do not need it.',
  look: async ({ host, demand: { vsockProbes } }) => {
    if ((await host.stat('/dev/vhost-vsock')) !== undefined) return [ok('/dev/vhost-vsock is there')];
    const fix = 'modprobe vhost_vsock';
    if (vsockProbes.length === 0) return [info('there is no /dev/vhost-vsock', fix)];
    return [error(`there is no /dev/vhost-vsock; needed by ${namesText(vsockProbes)}`, fix)];
  },
};
