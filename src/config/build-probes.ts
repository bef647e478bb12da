import type { NetworkInterface } from '../model/hypervisor.js';
import type { ProbeCheck, ProbeSpec } from '../model/probe.js';
import { PROBE_KINDS } from '../probes/registry.js';
import type { BoundHypervisor } from './hypervisors/registry.js';
import { DEFAULT_PROBES, type WrittenProbe } from './probe-schema.js';
import { type ProbeDefaults, timingWithDefaults } from './probe-timing.js';
import { formatPlace, type PathStep, type ProblemList } from './problems.js';
import type { SourceDocument } from './source-document.js';
import type { Manifest } from './virtual-machine.js';
import type { HostBinding } from './virtual-machine-host.js';

/** A probe and where it was written. */
interface Written {
  readonly probe: WrittenProbe;
  readonly document: SourceDocument;
  readonly path: readonly PathStep[];
  /** Which of several that were written there as one. */
  readonly which?: string | undefined;
}

/** How probes reach the guest. */
interface Reach {
  readonly address: string | undefined;
  readonly interfaces: readonly NetworkInterface[];
}

/** The host's end of a forwarded port. */
function forwardOf(
  port: number,
  interfaces: readonly NetworkInterface[],
): { readonly host: string; readonly port: number } | undefined {
  const forwards = interfaces.flatMap((each) => (each.type === 'user' ? each.forwards : []));
  const found = forwards.find(({ guestPort }) => guestPort === port);
  if (found === undefined) return undefined;
  return { host: found.hostAddress === '0.0.0.0' ? '127.0.0.1' : found.hostAddress, port: found.hostPort };
}

/**
 * Gives a check that asks the VM's own address a way there: the address, or for a VM without one the forwarded port.
 * A text says why there is none, and the remedy.
 */
function reachable(check: ProbeCheck, { address, interfaces }: Reach): ProbeCheck | string {
  if (address !== undefined || check.kind === 'custom') return check;
  const kind = PROBE_KINDS[check.kind];
  if (kind.lookups(check).vmAddress !== true) return check;
  const asked = kind.guestPort(check);
  if (asked === undefined)
    return 'cannot reach the VM, which has no address; set spec.address in the VirtualMachineHost document';
  const forward = forwardOf(asked.port, interfaces);
  if (forward !== undefined) return asked.askedAt(forward);
  const what = `cannot reach port ${asked.port}: the VM has neither an address nor a forward of that port`;
  return `${what}; set spec.address or add the forward in the VirtualMachineHost document`;
}

/** Things of a VM that a check needs and the VM has not, each with the remedy. */
function* missing(check: ProbeCheck, { spec, agentRemedy }: BoundHypervisor): Iterable<string> {
  if (check.kind === 'custom') return;
  const { channel, consoleLog } = PROBE_KINDS[check.kind].lookups(check);
  if (channel === 'agent' && !spec.guestAgent)
    yield `needs the guest agent, which this VM has not; ${agentRemedy} in the VirtualMachineHost document`;
  if (channel === 'monitor' && spec.driver === 'observed')
    yield 'needs a monitor, and none is opened of a VM that is only observed; remove it';
  if (consoleLog && spec.adopt !== undefined)
    yield 'needs to know where the console of this adopted VM is logged; write console.file';
}

function written(manifest: Manifest, host: HostBinding): readonly Written[] {
  const fromManifest = manifest.probes.map((probe) => ({
    probe,
    document: manifest.document,
    path: ['spec', 'template', 'spec', `${probe.role}Probe`],
  }));
  return [...fromManifest, ...host.probes.map((placed) => ({ ...placed, document: host.document }))];
}

function refuseDuplicates(probes: readonly Written[], problems: ProblemList): void {
  const first = new Map<string, Written>();
  for (const each of probes) {
    const { probe, document, path } = each;
    const earlier = first.get(probe.name);
    if (earlier === undefined) {
      first.set(probe.name, each);
      continue;
    }
    const place = formatPlace(earlier.document.placeOf(earlier.path));
    problems.add(
      document.placeOf(path),
      path,
      `is a second probe "${probe.name}" (the first: ${place}); remove or rename one`,
    );
  }
}

/** All probes of a VM: the manifest's, the host document's, and vmpulse's own where neither has one of their kind. */
export function buildProbes(
  manifest: Manifest,
  host: HostBinding,
  hypervisor: BoundHypervisor,
  defaults: ProbeDefaults,
  problems: ProblemList,
): readonly ProbeSpec[] {
  const probes = written(manifest, host);
  refuseDuplicates(probes, problems);
  const reach = { address: host.address, interfaces: hypervisor.spec.interfaces };
  const specs = probes.map(({ probe: { written: timing, ...own }, document, path, which }): ProbeSpec => {
    const probe = { ...own, timing: timingWithDefaults(timing, defaults, own.role) };
    const refuse = (message: string) =>
      problems.add(document.placeOf(path), path, which === undefined ? message : `${which} ${message}`);
    if (!probe.enabled) return probe;
    for (const message of missing(probe.check, hypervisor)) refuse(message);
    const check = reachable(probe.check, reach);
    if (typeof check !== 'string') return { ...probe, check };
    refuse(check);
    return probe;
  });
  const kinds = new Set(specs.map(({ check }) => check.kind));
  const isObserved = hypervisor.spec.driver === 'observed';
  const own = DEFAULT_PROBES.filter(
    ({ check }) => !kinds.has(check.kind) && !(isObserved && check.kind === 'vmState'),
  );
  for (const { name } of own) {
    const taken = probes.find(({ probe }) => probe.name === name);
    if (taken === undefined) continue;
    const { document, path } = taken;
    problems.add(
      document.placeOf(path),
      path,
      `has the name of vmpulse's own probe "${name}"; choose another`,
    );
  }
  return [...specs, ...own];
}
