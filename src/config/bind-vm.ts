import type { RecoverySpec, VmSpec } from '../model/vm.js';
import { buildProbes } from './build-probes.js';
import { buildQemu, QEMU_PATH } from './build-qemu.js';
import { digestOf } from './canonical-json.js';
import { formatPlace, type ProblemList } from './problems.js';
import { GUEST_COMMANDS, mergeRecovery, recoveryConflicts } from './recovery-schema.js';
import { stableUuid } from './stable-uuid.js';
import type { Architecture, Manifest } from './virtual-machine.js';
import type { HostBinding } from './virtual-machine-host.js';

/** What the host says to every VM. */
export interface HostDefaults {
  readonly recovery: RecoverySpec;
  readonly architecture: Architecture;
}

/** A VM with the documents it came from. */
export interface BoundVm {
  readonly spec: VmSpec;
  readonly manifest: Manifest;
  readonly host: HostBinding;
}

/** Precedence: defaults, host, manifest, host document. */
function buildRecovery(
  manifest: Manifest,
  host: HostBinding,
  defaults: RecoverySpec,
  hasAgent: boolean,
  problems: ProblemList,
): RecoverySpec {
  const grace = manifest.gracefulStopMs;
  const recovery = mergeRecovery(
    mergeRecovery(defaults, grace === undefined ? {} : { gracefulStop: grace }),
    host.recovery,
  );
  const refuse = (below: readonly string[], message: string) => {
    const path = ['spec', 'recovery', ...below];
    problems.add(host.document.placeOf(path), path, message);
  };
  for (const [below, message] of recoveryConflicts(recovery)) refuse(below, message);
  for (const name of GUEST_COMMANDS) {
    if (recovery[name] === undefined || hasAgent) continue;
    refuse([name], 'runs through the guest agent, which this VM has not; switch the agent on or remove it');
  }
  return recovery;
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
  const { adopt, disks = [], kernel, extraArgs = [] } = host.qemu;
  if (adopt === undefined && disks.length === 0 && kernel === undefined && extraArgs.length === 0) {
    const message = 'has neither disks nor a kernel; there is nothing that the VM could boot';
    problems.warn(host.document.placeOf(QEMU_PATH), QEMU_PATH, message);
  }
}

/** Merges a manifest and its host document. Undefined when something essential is missing; `problems` has it. */
export function bindVm(
  manifest: Manifest,
  host: HostBinding,
  defaults: HostDefaults,
  problems: ProblemList,
): BoundVm | undefined {
  const hypervisor = buildQemu(manifest, host, defaults.architecture, problems);
  if (hypervisor === undefined) return undefined;
  warn(manifest, host, problems);
  const id = `${manifest.namespace}/${manifest.name}`;
  const uuid = host.uuid ?? manifest.uuid ?? stableUuid(id);
  const spec: VmSpec = {
    id,
    namespace: manifest.namespace,
    name: manifest.name,
    uuid,
    labels: manifest.labels,
    annotations: manifest.annotations,
    runStrategy: manifest.runStrategy ?? 'Manual',
    ...(host.address === undefined ? {} : { address: host.address }),
    hypervisor,
    probes: buildProbes(manifest, host, hypervisor, problems),
    recovery: buildRecovery(manifest, host, defaults.recovery, hypervisor.guestAgent, problems),
    machineDigest: digestOf({ hypervisor, uuid }),
  };
  return { spec, manifest, host };
}

/** Where the name of a manifest or host document stands, as text. */
export function placeOfName({ document }: Manifest | HostBinding): string {
  return formatPlace(document.placeOf(['metadata', 'name']));
}
