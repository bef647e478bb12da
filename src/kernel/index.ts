/**
 * Typed access to the kernel addon: processes by pidfd, KVM, vsock, network devices, service manager, file locks.
 * Importing it loads nothing; the first call does. Every error is a VmpulseError.
 */
export { FileLock } from './file-lock.js';
export { sdNotify, vsockLocalCid } from './host.js';
export { type CanaryReason, type CanaryResult, type KvmInfo, kvmCanary, kvmInfo } from './kvm.js';
export {
  addAddress,
  createBridge,
  createTap,
  LinkMonitor,
  type LinkNews,
  linkAddresses,
  linkInfo,
  removeLink,
  setLinkMaster,
  setLinkUp,
} from './links.js';
export { kernelMissing, type LoadKernelOptions, loadKernel } from './loader.js';
export { type PeerCredentials, peerCredentials, peerGroups } from './peer-credentials.js';
export { Pidfd } from './pidfd.js';
export {
  type OpenedProcess,
  openProcess,
  type ProcessStat,
  processState,
  readProcessStat,
} from './process.js';
export { Watchdog, type WatchdogOptions } from './watchdog.js';
