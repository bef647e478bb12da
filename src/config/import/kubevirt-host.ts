import { given } from '../../model/given.js';
import { type Mapping, membersOf } from '../mapping.js';
import type { PathStep } from '../problems.js';
import type { SourceDocument } from '../source-document.js';
import type { NotTaken } from './imported.js';

/** The host document of a manifest, and what of the manifest it has no words for. */
export interface HostDocument {
  readonly value: object;
  readonly notTaken: readonly NotTaken[];
  /** The first host port that is free after it. */
  readonly nextPort: number;
}

const SPEC: readonly PathStep[] = ['spec', 'template', 'spec'];
/** For a VM whose manifest says none. */
const MEMORY = '1Gi';

/** Writes it for QEMU: recovery off, disks of this host, and a forward of each port that is probed. */
export function hostDocumentOf(document: SourceDocument, firstPort: number): HostDocument {
  const notTaken: NotTaken[] = [];
  const refuse = (path: readonly PathStep[], why: string) =>
    notTaken.push({ place: document.placeOf(path), path: path.join('.'), why });
  const { metadata, spec } = membersOf(document.value);
  const { name, namespace } = membersOf(metadata);
  const instance = membersOf(membersOf(membersOf(spec).template).spec);
  const ports = probedPorts(instance);
  const forwards = ports.map((guestPort, index) => ({ hostPort: firstPort + index, guestPort }));
  for (const { hostPort, guestPort } of forwards)
    refuse(
      [...SPEC, 'networks'],
      `port ${guestPort} of the guest is reached by port ${hostPort} of this host; write spec.address instead where the VM has one`,
    );
  const disks = disksOf(instance, refuse);
  const qemu = {
    ...(hasMemory(instance) ? {} : { memory: MEMORY }),
    ...(disks.length === 0 ? {} : { disks }),
    ...(forwards.length === 0 ? {} : { interfaces: [{ user: { forwards } }] }),
  };
  if (!hasMemory(instance)) refuse([...SPEC, 'domain'], `says no memory; ${MEMORY} was written, correct it`);
  const cloudInit = cloudInitOf(instance);
  return {
    value: {
      apiVersion: 'vmpulse.dev/v1',
      kind: 'VirtualMachineHost',
      metadata: { name, ...given({ namespace }) },
      spec: { hypervisor: { qemu }, recovery: { enabled: false }, ...cloudInit },
    },
    notTaken,
    nextPort: firstPort + forwards.length,
  };
}

/** Ports of the VM's own address that its probes ask. */
function probedPorts(instance: Mapping): readonly number[] {
  const ports = ['readinessProbe', 'livenessProbe'].flatMap((name) => {
    const probe = membersOf(instance[name]);
    return [membersOf(probe.httpGet), membersOf(probe.tcpSocket)].flatMap(({ host, port }) =>
      host === undefined && typeof port === 'number' ? [port] : [],
    );
  });
  return [...new Set(ports)];
}

type Refuse = (path: readonly PathStep[], why: string) => void;

function disksOf(instance: Mapping, refuse: Refuse): readonly object[] {
  return list(instance.volumes).flatMap((volume, index) => {
    const { name, hostDisk, cloudInitNoCloud, ...others } = membersOf(volume);
    const { path } = membersOf(hostDisk);
    if (typeof path === 'string') return [{ name, path, format: 'raw' }];
    if (cloudInitNoCloud !== undefined && membersOf(cloudInitNoCloud).userData !== undefined) return [];
    const kind = Object.keys(others)[0] ?? 'cloudInitNoCloud';
    refuse(
      [...SPEC, 'volumes', index],
      `${kind} lies in a cluster; bring the disk to this host and name it in spec.hypervisor.qemu.disks`,
    );
    return [];
  });
}

function cloudInitOf(instance: Mapping): object {
  for (const volume of list(instance.volumes)) {
    const { userData, networkData } = membersOf(membersOf(volume).cloudInitNoCloud);
    if (userData === undefined) continue;
    return { cloudInit: { userData, ...given({ networkConfig: networkData }) } };
  }
  return {};
}

function hasMemory(instance: Mapping): boolean {
  const domain = membersOf(instance.domain);
  const { guest } = membersOf(domain.memory);
  const { memory } = membersOf(membersOf(domain.resources).requests);
  return guest !== undefined || memory !== undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
