import type { ProbeCheck, ProbeTiming } from '../model/probe.js';
import { DEFAULT_TIMING, type ProbeRole, type ProbeSpec } from '../model/probe.js';
import type { ActionWindow, RecoverySpec, VmSpec } from '../model/vm.js';
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

/** Where the policy that is tried has none: an hour in six. */
const WINDOWS: readonly ActionWindow[] = [0, 6, 12, 18].map((hour) => ({
  days: [],
  fromMinute: hour * 60,
  toMinute: (hour + 1) * 60,
}));

const RESTART = ['systemctl', 'restart', 'app'] as const;

/**
 * One VM of a simulated fleet: most have an agent, and half of those a command that restarts the service, beside those
 * whose `recovery` has one.
 */
export function simulatedVm(name: string, address: string, random: Random, recovery: RecoverySpec): VmSpec {
  const guestAgent = random.chance(0.8);
  const { restartService, ...rest } = recovery;
  const command = guestAgent && random.chance(0.6) ? RESTART : undefined;
  const restart = guestAgent ? (restartService ?? command) : undefined;
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
      ...rest,
      enabled: true,
      actionWindows: rest.actionWindows.length > 0 ? rest.actionWindows : WINDOWS,
      ...(restart === undefined ? {} : { restartService: restart }),
    },
    machineDigest: 'simulated',
  };
}
