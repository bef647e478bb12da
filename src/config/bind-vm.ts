import { join } from 'node:path';
import { given } from '../model/given.js';
import { machineOf } from '../model/machine.js';
import type { RecoverySpec, VmSpec } from '../model/vm.js';
import type { Steering } from './annotations.js';
import { buildProbes } from './build-probes.js';
import { digestOf } from './canonical-json.js';
import { buildCloudInit, seedDisk } from './cloud-init.js';
import { type BoundHypervisor, buildHypervisor } from './hypervisors/registry.js';
import { buildMaintenance } from './maintenance-schema.js';
import type { ProbeDefaults } from './probe-timing.js';
import { formatPlace, type ProblemList } from './problems.js';
import {
  type LaidRecovery,
  layeredConflicts,
  layRecovery,
  type RecoveryLayer,
  type RecoveryOrigins,
} from './recovery-layers.js';
import type { RecoveryPolicy } from './recovery-policy.js';
import { GUEST_COMMANDS } from './recovery-schema.js';
import { stableUuid } from './stable-uuid.js';
import type { Architecture, Manifest } from './virtual-machine.js';
import type { HostBinding } from './virtual-machine-host.js';

/** What the host says to every VM. */
export interface HostDefaults {
  readonly recovery: RecoverySpec;
  readonly recoveryOrigins: RecoveryOrigins;
  /** In the order in which they are laid over each other. */
  readonly policies: readonly RecoveryPolicy[];
  readonly architecture: Architecture;
  readonly stateDir: string;
  readonly probes: ProbeDefaults;
}

/** A VM with the documents it came from. */
export interface BoundVm {
  readonly spec: VmSpec;
  readonly manifest: Manifest;
  readonly host: HostBinding;
  readonly hypervisor: BoundHypervisor;
}

/** Precedence: the host's defaults, policies, the manifest, the host document. */
function buildRecovery(
  manifest: Manifest,
  host: HostBinding,
  defaults: HostDefaults,
  hasAgent: boolean,
  problems: ProblemList,
): LaidRecovery {
  const grace = manifest.gracefulStopMs;
  const layers: readonly RecoveryLayer[] = [
    ...defaults.policies.filter((policy) => policy.selects(manifest)),
    {
      origin: `VirtualMachine (${manifest.document.file})`,
      written: grace === undefined ? undefined : { gracefulStop: grace },
      document: manifest.document,
    },
    {
      origin: `VirtualMachineHost (${host.document.file})`,
      written: host.recovery,
      document: host.document,
    },
  ];
  const laid = layRecovery(defaults.recovery, layers);
  const refuse = ({ document, origin }: RecoveryLayer, below: readonly string[], message: string) => {
    const path = ['spec', 'recovery', ...below];
    const whose =
      document === host.document ? '' : ` (for ${manifest.namespace}/${manifest.name}, ${origin})`;
    problems.add(document.placeOf(path), path, `${message}${whose}`);
  };
  for (const { layer, below, message } of layeredConflicts(laid, layers)) refuse(layer, below, message);
  for (const name of GUEST_COMMANDS) {
    const layer = layers.findLast(({ written }) => written?.[name] !== undefined);
    if (layer === undefined || hasAgent) continue;
    const message = 'runs through the guest agent, which this VM has not; switch the agent on or remove it';
    refuse(layer, [name], message);
  }
  return laid;
}

function warn({ document, runStrategy, probes }: Manifest, host: HostBinding, problems: ProblemList): void {
  if (runStrategy === undefined) {
    const message =
      'has neither runStrategy nor running; taken as Manual, so vmpulse does not start this VM by itself';
    problems.warn(document.placeOf(['spec']), ['spec'], message);
  }
  if (probes.length === 0 && host.probes.length === 0) {
    const message = 'has no probe of its own; only its process and its run state are watched';
    problems.warn(document.placeOf(['spec']), ['spec'], message);
  }
}

/** Merges a manifest and its host document. Undefined when something essential is missing; `problems` has it. */
export function bindVm(
  manifest: Manifest,
  host: HostBinding,
  defaults: HostDefaults,
  problems: ProblemList,
): BoundVm | undefined {
  const { document } = host;
  const bound = buildHypervisor(host.hypervisor, {
    manifest,
    document,
    hostArchitecture: defaults.architecture,
    diskFolder: join(defaults.stateDir, 'disks', manifest.namespace, manifest.name),
    problems,
  });
  if (bound === undefined) return undefined;
  const { spec: bare } = bound;
  warn(manifest, host, problems);
  const id = `${manifest.namespace}/${manifest.name}`;
  const { recovery, origins } = buildRecovery(manifest, host, defaults, bare.guestAgent, problems);
  const maintenance = buildMaintenance(host.maintenance, bare.guestAgent, document, problems);
  const uuid = host.uuid ?? manifest.uuid ?? stableUuid(id);
  const cloudInit = host.cloudInit && buildCloudInit(host.cloudInit, { uuid, name: manifest.name });
  if (cloudInit !== undefined && bare.adopt !== undefined) {
    const path = ['spec', 'cloudInit'];
    const message = 'cannot be given to a VM that is adopted: vmpulse does not build it; remove it';
    problems.add(document.placeOf(path), path, message);
  }
  const hypervisor =
    cloudInit === undefined ? bare : { ...bare, disks: [...bare.disks, seedDisk(defaults.stateDir, id)] };
  const spec: VmSpec = {
    id,
    namespace: manifest.namespace,
    name: manifest.name,
    uuid,
    labels: manifest.labels,
    annotations: manifest.annotations,
    runStrategy: manifest.runStrategy ?? 'Manual',
    ...steered(manifest.steering),
    ...given({ address: host.address }),
    hypervisor,
    ...given({ cloudInit }),
    probes: buildProbes(manifest, host, bound, defaults.probes, problems),
    recovery,
    recoveryOrigins: { ...defaults.recoveryOrigins, ...origins },
    ...(maintenance.length === 0 ? {} : { maintenance }),
    ...(host.hooks.length === 0 ? {} : { hooks: host.hooks }),
    machineDigest: digestOf(machineOf({ hypervisor, uuid, ...given({ cloudInit }) })),
  };
  return { spec, manifest, host, hypervisor: bound };
}

function steered({
  mode,
  patch,
  ignoredFields,
  forceReconcile,
}: Steering): Pick<VmSpec, 'mode' | 'patchedBy' | 'ignoredFields' | 'forceReconcile'> {
  return {
    ...given({ mode, patchedBy: patch?.key, forceReconcile }),
    ...(ignoredFields.length === 0 ? {} : { ignoredFields }),
  };
}

/** Where the name of a manifest or host document stands, as text. */
export function placeOfName({ document }: Manifest | HostBinding): string {
  return formatPlace(document.placeOf(['metadata', 'name']));
}
