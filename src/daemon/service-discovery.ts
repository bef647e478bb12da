import { isIPv6 } from 'node:net';
import { VmpulseError } from '../model/errors.js';
import type { VmView } from '../runtime/views.js';

/** One entry of Prometheus' HTTP service discovery. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface DiscoveryQuery {
  /** Port to scrape instead of the one that the readiness probe asks. */
  readonly port?: string | undefined;
  /** `true`: only VMs that stand in the list of endpoints. */
  readonly ready?: string | undefined;
}

/**
 * The VMs as Prometheus wants to discover them: one group a VM that has an address. Labels begin with
 * `__meta_vmpulse_`, so that none is kept that relabelling does not ask for. Throws ERR_VMPULSE_ARGUMENT for a query
 * that it does not understand.
 */
export function targetGroups(vms: readonly VmView[], query: DiscoveryQuery): TargetGroup[] {
  const port = query.port === undefined ? undefined : readPort(query.port);
  if (query.ready !== undefined && query.ready !== 'true' && query.ready !== 'false')
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `ready is true or false, not "${query.ready}"`);
  return vms.flatMap((vm) => {
    if (query.ready === 'true' && !vm.ready) return [];
    const host = port === undefined ? vm.endpoint?.host : (vm.address ?? vm.endpoint?.host);
    const at = port ?? vm.endpoint?.port;
    if (host === undefined || at === undefined) return [];
    return [{ targets: [isIPv6(host) ? `[${host}]:${at}` : `${host}:${at}`], labels: labelsOf(vm) }];
  });
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `port is a number from 1 to 65535, not "${text}"`);
}

function labelsOf(vm: VmView): Record<string, string> {
  const [namespace = '', name = ''] = vm.id.split('/', 2);
  const labels: Record<string, string> = {
    __meta_vmpulse_namespace: namespace,
    __meta_vmpulse_vm: name,
    __meta_vmpulse_health: vm.health,
    __meta_vmpulse_ready: String(vm.ready),
  };
  for (const [key, value] of Object.entries(vm.labels))
    labels[`__meta_vmpulse_label_${key.replaceAll(/[^A-Za-z0-9_]/g, '_')}`] = value;
  return labels;
}
