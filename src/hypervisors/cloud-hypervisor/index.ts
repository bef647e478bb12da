export type { DriverHost, ProcessHandle } from '../host.js';
export type { VmmDriverOptions } from '../vmm/vmm-driver.js';
export { CloudHypervisorDriver } from './cloud-hypervisor-driver.js';
export { CloudHypervisorSession } from './session.js';
