import { z } from 'zod';
import type { HypervisorSpec } from '../../model/vm.js';
import type { PathStep, ProblemList } from '../problems.js';
import type { SourceDocument } from '../source-document.js';
import type { Architecture, Manifest } from '../virtual-machine.js';
import { cloudHypervisor } from './cloud-hypervisor.js';
import { firecracker } from './firecracker.js';
import type { HypervisorKind } from './kind.js';
import { libvirt } from './libvirt.js';
import { observed } from './observed.js';
import { qemu } from './qemu.js';

const mappings = z.strictObject({
  qemu: qemu.schema.optional(),
  cloudHypervisor: cloudHypervisor.schema.optional(),
  firecracker: firecracker.schema.optional(),
  libvirt: libvirt.schema.optional(),
  observed: observed.schema.optional(),
});

/** `spec.hypervisor` of a host document: exactly one driver's mapping. A line above and one in buildHypervisor each. */
export const hypervisorSchema = mappings.superRefine((written, ctx) => {
  const named = Object.keys(written);
  if (named.length === 1) return;
  const known = Object.keys(mappings.shape).join(', ');
  const message =
    named.length === 0
      ? `names no hypervisor; write one of ${known}`
      : `names ${named.length} hypervisors (${named.join(', ')}); keep the one that runs the VM`;
  ctx.addIssue({ code: 'custom', message, input: written });
});

export type WrittenHypervisor = z.output<typeof hypervisorSchema>;

/** Where a driver's mapping stands, and what a VM gets from it. */
export interface BoundHypervisor {
  readonly path: readonly PathStep[];
  readonly spec: HypervisorSpec;
  /** What gives the VM the guest agent that it lacks. */
  readonly agentRemedy: string;
}

interface Sources {
  readonly manifest: Manifest;
  readonly document: SourceDocument;
  readonly hostArchitecture: Architecture;
  readonly diskFolder: string;
  readonly problems: ProblemList;
}

/** Undefined, with a problem, where something is missing. */
export function buildHypervisor(written: WrittenHypervisor, sources: Sources): BoundHypervisor | undefined {
  if (written.qemu !== undefined) return build('qemu', qemu, written.qemu, sources);
  if (written.observed !== undefined) return build('observed', observed, written.observed, sources);
  if (written.cloudHypervisor !== undefined)
    return build('cloudHypervisor', cloudHypervisor, written.cloudHypervisor, sources);
  if (written.firecracker !== undefined)
    return build('firecracker', firecracker, written.firecracker, sources);
  if (written.libvirt !== undefined) return build('libvirt', libvirt, written.libvirt, sources);
  return undefined;
}

function build<Written>(
  name: string,
  kind: HypervisorKind<Written>,
  written: Written,
  { manifest, document, hostArchitecture, diskFolder, problems }: Sources,
): BoundHypervisor | undefined {
  const path = ['spec', 'hypervisor', name];
  const at = (below: readonly PathStep[]) => [...path, ...below];
  const spec = kind.build(written, {
    manifest,
    hostArchitecture,
    diskFolder,
    problems,
    refuse: (below, message) => problems.add(document.placeOf(at(below)), at(below), message),
    warn: (below, message) => problems.warn(document.placeOf(at(below)), at(below), message),
  });
  return spec === undefined ? undefined : { path, spec, agentRemedy: kind.agentRemedy(written) };
}
