import type { VmSpec } from '../model/vm.js';
import { PROBE_KINDS } from '../probes/registry.js';

/** Where a VM's service is reached. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What the first readiness probe that asks a port of the VM connects to; null when none does. */
export function endpointOf(spec: VmSpec): Endpoint | null {
  for (const { check, role, enabled } of spec.probes) {
    if (!enabled || role !== 'readiness' || check.kind === 'custom') continue;
    const kind = PROBE_KINDS[check.kind];
    const host = kind.lookups(check).host ?? spec.address;
    const port = kind.guestPort(check)?.port;
    if (host !== undefined && port !== undefined) return { host, port };
  }
  return null;
}
