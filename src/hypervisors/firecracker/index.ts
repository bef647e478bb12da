export type { DriverHost, ProcessHandle } from '../host.js';
export type { VmmDriverOptions } from '../vmm/vmm-driver.js';
export { FirecrackerDriver } from './firecracker-driver.js';
export { FirecrackerSession } from './session.js';
