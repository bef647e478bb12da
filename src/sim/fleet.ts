import type { ProbeCheck, ProbeTiming } from '../model/probe.js';
import { DEFAULT_TIMING, type ProbeRole, type ProbeSpec } from '../model/probe.js';
import type { RecoverySpec, VmSpec } from '../model/vm.js';
import type { Random } from './random.js';

/** As the configuration adds them to every VM. */
const PROCESS_TIMING: ProbeTiming = {
  ...DEFAULT_TIMING,
  periodMs: 1_000,
  timeoutMs: 500,
  failureThreshold: 2,
};
const MONITOR_TIMING: ProbeTiming = { ...DEFAULT_TIMING, periodMs: 5_000, timeoutMs: 2_000 };

const http: ProbeCheck = {
  kind: 'httpGet',
  http: { scheme: 'http', port: 8080, path: '/healthz', headers: [] },
};

function probe(
  name: string,
  role: ProbeRole,
  check: ProbeCheck,
  timing: ProbeTiming = DEFAULT_TIMING,
): ProbeSpec {
  const critical = role === 'liveness' || check.kind === 'vmmProcess';
  return { name, role, check, timing, enabled: true, weight: 1, critical };
}

/** One VM of a simulated fleet: most have an agent, half of those a command that restarts the service. */
export function simulatedVm(name: string, address: string, random: Random, recovery: RecoverySpec): VmSpec {
  const guestAgent = random.chance(0.8);
  const restartService = guestAgent && random.chance(0.6) ? ['systemctl', 'restart', 'app'] : undefined;
  return {
    id: `sim/${name}`,
    namespace: 'sim',
    name,
    uuid: '00000000-0000-4000-8000-000000000000',
    labels: {},
    annotations: {},
    runStrategy: random.chance(0.9) ? 'Always' : 'RerunOnFailure',
    address,
    hypervisor: {
      driver: 'qemu',
      binary: 'qemu-system-x86_64',
      machine: 'q35',
      accel: 'kvm',
      memoryMiB: 2048,
      vcpus: 2,
      disks: [],
      interfaces: [],
      guestAgent,
      pvpanic: true,
      extraArgs: [],
    },
    probes: [
      probe('readiness', 'readiness', http),
      probe('liveness', 'liveness', http),
      ...(guestAgent ? [probe('agent', 'check', { kind: 'guestAgentPing' })] : []),
      probe('vm-state', 'check', { kind: 'vmState' }, MONITOR_TIMING),
      probe('vmm-process', 'check', { kind: 'vmmProcess' }, PROCESS_TIMING),
    ],
    recovery: {
      ...recovery,
      enabled: true,
      ...(restartService === undefined ? {} : { restartService }),
    },
    machineDigest: 'simulated',
  };
}
