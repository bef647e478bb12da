export type { DriverHost, ProcessHandle } from '../host.js';
export type { VmmDriverOptions } from '../vmm/vmm-driver.js';
export { QemuDriver } from './qemu-driver.js';
export { QemuSession } from './session.js';
