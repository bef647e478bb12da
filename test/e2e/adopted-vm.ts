import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { LAB_GUEST } from '../../lab/vm.mjs';
import type { World } from './world.js';

export interface AdoptedVm {
  readonly qmpSocket: string;
  readonly agentSocket?: string;
  /** On the host's loopback, leads to the guest's web server. */
  readonly httpPort: number;
}

/** Puts the documents of a VM that somebody else started into the daemon's manifests; recovery is on and impatient. */
export function writeAdoptedVm(world: World, name: string, vm: AdoptedVm): void {
  const { httpPort, ...adopt } = vm;
  const metadata = { name, namespace: 'demo' };
  const httpGet = { host: '127.0.0.1', port: httpPort, path: LAB_GUEST.healthPath };
  const manifest = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata,
    spec: { runStrategy: 'Always', template: { spec: {} } },
  };
  const host = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: {
      hypervisor: { qemu: { adopt } },
      readinessProbe: { httpGet, periodMs: 500, timeoutMs: 400, failureThreshold: 2 },
      livenessProbe: { httpGet, periodMs: 500, timeoutMs: 400, failureThreshold: 3 },
      probes: [{ name: 'monitor', vmState: {}, periodMs: 500, timeoutMs: 400, failureThreshold: 2 }],
      recovery: { enabled: true, grace: '1s', stableFor: '1s', wedgedAfter: '2s' },
    },
  };
  writeFileSync(join(world.dir, 'vms.d', `${name}.yaml`), `${stringify(manifest)}---\n${stringify(host)}`);
}
