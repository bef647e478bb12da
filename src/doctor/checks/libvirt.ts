import { libvirtPlace } from '../../hypervisors/libvirt/uri.js';
import type { CheckContext, DoctorCheck } from '../check.js';
import { error, type Finding, of, ok } from '../finding.js';

export const libvirt: DoctorCheck = {
  id: 'libvirt',
  looksAt: 'Each libvirt that VMs run on: whether its daemon lets vmpulse in and answers, and its version.',
  why: 'libvirt starts, stops and tells of its domains; while it does not answer they are neither judged nor mended.',
  look: ({ host, demand, call }) => {
    if (demand.libvirts.size === 0) return Promise.resolve([ok('no VM runs on libvirt')]);
    return Promise.all([...demand.libvirts].map(([uri, vms]) => lookAt({ host, call }, uri, vms)));
  },
};

async function lookAt(
  { host, call }: Pick<CheckContext, 'host' | 'call'>,
  uri: string,
  vms: readonly string[],
): Promise<Finding> {
  const place = libvirtPlace(uri);
  const found = await host.libvirt(place, call);
  if (found.answers) return of(uri, ok(`libvirt ${found.version} answers at ${place.sockets.join(' or ')}`));
  const remedy = `systemctl enable --now libvirtd, or correct hypervisor.libvirt.uri of ${vms.join(', ')}`;
  return of(uri, error(`${found.why}; ${vms.join(', ')} run on it`, remedy));
}
