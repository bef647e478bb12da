export type { DriverHost, ProcessHandle } from '../host.js';
export type { VmmDriverOptions } from '../vmm/vmm-driver.js';
export { LibvirtDriver } from './libvirt-driver.js';
export { LibvirtSession } from './session.js';
