import type { ProbeEngine } from '../engine/probe-engine.js';
import type { Driver } from '../model/ports.js';
import type { DriverName } from '../model/vm.js';
import type { WorkerPool } from '../pool/index.js';
import { CloudHypervisorDriver } from './cloud-hypervisor/index.js';
import { FirecrackerDriver } from './firecracker/index.js';
import type { DriverHost } from './host.js';
import { LibvirtDriver } from './libvirt/index.js';
import { nativeHost } from './native-host.js';
import { ObservedDriver } from './observed/observed-driver.js';
import { QemuDriver } from './qemu/index.js';
import type { VmmDriverOptions } from './vmm/vmm-driver.js';

/** What every driver is given; each takes what it needs. Engine and pool are closed by their owner. */
export interface DriverOptions extends VmmDriverOptions {
  readonly engine: Pick<ProbeEngine, 'openChannel'>;
  readonly pool: Pick<WorkerPool, 'run'>;
  readonly network?: DriverHost['network'];
  readonly storage?: DriverHost['storage'];
}

/** The built-in drivers. One line a driver. */
export function createDrivers(options: DriverOptions) {
  const host = nativeHost(options.engine, options.pool, options);
  return {
    qemu: new QemuDriver(host, options),
    observed: new ObservedDriver(host),
    'cloud-hypervisor': new CloudHypervisorDriver(host, options),
    firecracker: new FirecrackerDriver(host, options),
    libvirt: new LibvirtDriver(host, options),
  } satisfies Readonly<Record<DriverName, Driver>>;
}
