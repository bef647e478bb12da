export type { DriverHost, ProcessHandle } from '../host.js';
export { QemuDriver, type QemuDriverOptions } from './qemu-driver.js';
export { QemuSession } from './session.js';
