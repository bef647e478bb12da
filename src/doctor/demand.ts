import { dirname } from 'node:path';
import type { LoadedConfig } from '../config/index.js';
import { DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from '../model/folders.js';
import type { ProbeSpec } from '../model/probe.js';
import type { HypervisorSpec } from '../model/vm.js';

/** Engine default for probes under way at once. */
const DEFAULT_IN_FLIGHT = 4096;
/** Descriptors of a VM: monitor, agent, pidfd. */
const FILES_PER_VM = 3;
/** Journal, log, API, workers and what Node itself has open. */
const OWN_FILES = 256;
/** Threads of a VMM beside its vCPUs. */
const VMM_THREADS = 6;

/** Of a VM that vmpulse can build. */
type BuiltSpec = Exclude<HypervisorSpec, { readonly driver: 'observed' }>;

/** What a configuration asks of its host; without one what the defaults do. */
export interface Demand {
  /** The configuration it comes from; null: none was read. */
  readonly source: string | null;
  /** Why a configuration could not be read. */
  readonly problem: string | null;
  readonly stateDir: string;
  readonly runDir: string;
  readonly vms: number;
  /** Ids of VMs that run on KVM or not at all. */
  readonly kvmOnly: readonly string[];
  /** VMs by the program that builds them. */
  readonly programs: ReadonlyMap<string, readonly string[]>;
  /** VMs by the URI of the libvirt that runs them. */
  readonly libvirts: ReadonlyMap<string, readonly string[]>;
  readonly diskFolders: readonly string[];
  readonly taps: readonly { readonly vm: string; readonly device: string }[];
  /** Memory of all guests together. */
  readonly memoryMiB: number;
  /** Of vmpulse itself. */
  readonly openFiles: number;
  /** Of all VMMs. */
  readonly threads: number;
  /** TCP connections that vmpulse makes. */
  readonly connectionsPerSecond: number;
  /** At most as many of them at once. */
  readonly connectionsAtOnce: number;
  /** `VM/probe` of those that need CAP_NET_RAW. */
  readonly rawProbes: readonly string[];
  /** `VM/probe` of those that need AF_VSOCK. */
  readonly vsockProbes: readonly string[];
}

const NOTHING: Demand = {
  source: null,
  problem: null,
  stateDir: DEFAULT_STATE_DIR,
  runDir: DEFAULT_RUN_DIR,
  vms: 0,
  kvmOnly: [],
  programs: new Map(),
  libvirts: new Map(),
  diskFolders: [],
  taps: [],
  memoryMiB: 0,
  openFiles: OWN_FILES + DEFAULT_IN_FLIGHT,
  threads: 0,
  connectionsPerSecond: 0,
  connectionsAtOnce: DEFAULT_IN_FLIGHT,
  rawProbes: [],
  vsockProbes: [],
};

/** Without a configuration, or with one that `problem` keeps from being read. */
export function demandOfDefaults(problem: string | null = null): Demand {
  return { ...NOTHING, problem };
}

/** Of a configuration and all its VMs. */
export function demandOf(source: string, { config, vms }: LoadedConfig): Demand {
  const probes = vms.flatMap((vm) =>
    vm.probes.filter(({ enabled }) => enabled).map((probe) => ({ id: `${vm.id}/${probe.name}`, probe })),
  );
  const connecting = probes.filter(({ probe }) => connects(probe)).map(({ probe }) => probe);
  const connectionsAtOnce = Math.min(config.engine.maxInFlight, connecting.length);
  const built = vms.flatMap(({ id, hypervisor }) =>
    hypervisor.driver === 'observed' || hypervisor.adopt !== undefined ? [] : [{ id, hypervisor }],
  );
  return {
    source,
    problem: null,
    stateDir: config.stateDir,
    runDir: config.runDir,
    vms: vms.length,
    ...machines(built),
    libvirts: libvirtsOf(vms),
    openFiles: OWN_FILES + FILES_PER_VM * vms.length + connectionsAtOnce,
    connectionsPerSecond: connecting.reduce((sum, { timing }) => sum + 1000 / timing.periodMs, 0),
    connectionsAtOnce,
    rawProbes: probes.filter(({ probe }) => isRaw(probe)).map(({ id }) => id),
    vsockProbes: probes.filter(({ probe }) => usesVsock(probe)).map(({ id }) => id),
  };
}

function libvirtsOf(vms: LoadedConfig['vms']): Demand['libvirts'] {
  const uris = new Map<string, string[]>();
  for (const { id, hypervisor } of vms) {
    if (hypervisor.driver !== 'libvirt') continue;
    uris.set(hypervisor.uri, [...(uris.get(hypervisor.uri) ?? []), id]);
  }
  return uris;
}

/** What the VMs need that vmpulse builds. */
function machines(
  vms: readonly { readonly id: string; readonly hypervisor: BuiltSpec }[],
): Pick<Demand, 'kvmOnly' | 'programs' | 'diskFolders' | 'taps' | 'memoryMiB' | 'threads'> {
  const programs = new Map<string, string[]>();
  for (const { id, hypervisor } of vms) {
    const { binary } = hypervisor;
    programs.set(binary, [...(programs.get(binary) ?? []), id]);
  }
  const folders = vms.flatMap(({ hypervisor }) => hypervisor.disks.map(({ path }) => dirname(path)));
  return {
    kvmOnly: vms.filter(({ hypervisor }) => needsKvm(hypervisor)).map(({ id }) => id),
    programs,
    diskFolders: [...new Set(folders)].sort(),
    taps: vms.flatMap(({ id, hypervisor }) =>
      hypervisor.interfaces.flatMap((one) => (one.type === 'tap' ? [{ vm: id, device: one.device }] : [])),
    ),
    memoryMiB: vms.reduce((sum, { hypervisor }) => sum + hypervisor.memoryMiB, 0),
    threads: vms.reduce((sum, { hypervisor }) => sum + hypervisor.vcpus + VMM_THREADS, 0),
  };
}

/** QEMU alone can emulate. */
function needsKvm(hypervisor: BuiltSpec): boolean {
  return 'accel' in hypervisor ? hypervisor.accel === 'kvm' : true;
}

function connects({ check }: ProbeSpec): boolean {
  switch (check.kind) {
    case 'tcpSocket':
    case 'ssh':
      return true;
    case 'httpGet':
      return check.http.unixSocket === undefined;
    case 'grpc':
      return check.grpc.unixSocket === undefined;
    case 'tcpExchange':
      return check.exchange.unixSocket === undefined;
    default:
      return false;
  }
}

function isRaw({ check: { kind } }: ProbeSpec): boolean {
  return kind === 'icmp' || kind === 'arp' || kind === 'ndp' || kind === 'tcpHalfOpen';
}

function usesVsock({ check }: ProbeSpec): boolean {
  return check.kind === 'vsock' && check.vsock.cid !== undefined;
}
