import type { BoundVm } from './bind-vm.js';
import type { ListenAddress } from './listen-address.js';
import { formatPlace, type PathStep, type ProblemList } from './problems.js';
import type { SourceDocument } from './source-document.js';

/** Something of which there is one, and who asked for it where. */
interface Claim {
  readonly vm: string;
  readonly document: SourceDocument;
  readonly path: readonly PathStep[];
  /** Two claims that both share do not conflict. */
  readonly shared: boolean;
}

/** What a VM that was adopted is found by, where that is no socket. */
const ADOPTED: Readonly<Record<string, string>> = { pidFile: 'PID file', mark: 'mark' };

/** What is claimed, as a message names it: `the disk /a.qcow2`. */
type Claims = ReadonlyMap<string, readonly Claim[]>;

function claimsOf(vms: readonly BoundVm[]): Claims {
  const claims = new Map<string, Claim[]>();
  for (const { spec, manifest, host, hypervisor: bound } of vms) {
    const below = (...steps: readonly PathStep[]) => [...bound.path, ...steps];
    const add = (what: string, path: readonly PathStep[], document = host.document, shared = false) => {
      const list = claims.get(what) ?? [];
      list.push({ vm: spec.id, document, path, shared });
      claims.set(what, list);
    };
    const { hypervisor } = spec;
    hypervisor.disks.forEach((disk, index) => {
      add(`the disk ${disk.path}`, below('disks', index, 'path'), host.document, disk.readOnly);
    });
    hypervisor.interfaces.forEach((network, index) => {
      if (network.type !== 'tap') return;
      add(`the TAP device ${network.device}`, below('interfaces', index, 'tap', 'device'));
      if (network.mac !== undefined)
        add(`the MAC address ${network.mac}`, below('interfaces', index, 'tap', 'mac'));
    });
    for (const [field, path] of Object.entries(hypervisor.adopt ?? {})) {
      const at = field === 'mark' ? below(field) : below('adopt', field);
      add(`the ${ADOPTED[field] ?? 'socket'} ${path}`, at);
    }
    const uuid = `the UUID ${spec.uuid}`;
    if (host.uuid !== undefined || manifest.uuid === undefined) add(uuid, ['spec', 'uuid']);
    else add(uuid, ['spec', 'template', 'spec', 'domain', 'firmware', 'uuid'], manifest.document);
  }
  return claims;
}

function checkClaims(claims: Claims, problems: ProblemList): void {
  for (const [what, list] of claims) {
    list.forEach((claim, index) => {
      const earlier = list.slice(0, index).find(({ shared }) => !(shared && claim.shared));
      if (earlier === undefined) return;
      const by = `${earlier.vm} (${formatPlace(earlier.document.placeOf(earlier.path))})`;
      const remedy = what.startsWith('the disk')
        ? 'give each its own, or share it with readOnly: true in both'
        : 'give each its own';
      problems.add(
        claim.document.placeOf(claim.path),
        claim.path,
        `claims ${what}, which ${by} has; ${remedy}`,
      );
    });
  }
}

/** A host port in use, by a VM or by the daemon itself. */
interface PortClaim {
  readonly address: string;
  readonly by: string;
}

function checkPorts(vms: readonly BoundVm[], listen: ListenAddress | undefined, problems: ProblemList): void {
  const taken = new Map<number, PortClaim[]>();
  if (listen !== undefined)
    taken.set(listen.port, [{ address: listen.host, by: "the daemon's metrics.listen" }]);
  for (const { spec, host, hypervisor } of vms) {
    spec.hypervisor.interfaces.forEach((network, index) => {
      if (network.type !== 'user') return;
      network.forwards.forEach(({ hostAddress, hostPort }, at) => {
        const path = [...hypervisor.path, 'interfaces', index, 'user', 'forwards', at, 'hostPort'];
        const place = host.document.placeOf(path);
        const claims = taken.get(hostPort) ?? [];
        const other = claims.find(
          ({ address }) => [address, hostAddress].includes('0.0.0.0') || address === hostAddress,
        );
        if (other !== undefined)
          problems.add(place, path, `claims the port ${hostPort}, which ${other.by} has; choose another`);
        taken.set(hostPort, [...claims, { address: hostAddress, by: `${spec.id} (${formatPlace(place)})` }]);
      });
    });
  }
}

/** Refuses what two VMs cannot both have: disks, UUIDs, ports, TAP devices, MAC addresses, sockets. */
export function checkAcrossVms(
  vms: readonly BoundVm[],
  listen: ListenAddress | undefined,
  problems: ProblemList,
): void {
  checkClaims(claimsOf(vms), problems);
  checkPorts(vms, listen, problems);
}
