import { z } from 'zod';
import { nativeKernel } from './loader.js';
import { callNative, checkedResult } from './native-errors.js';

const cidSchema = z.int().min(0).max(0xffff_ffff);

/**
 * The vsock context id of this machine: 2 on a host, its own number in a guest, 4294967295 when no transport is
 * loaded. Opens no connection. Throws ERR_VMPULSE_SYSCALL with `errno` ENOENT where there is no vsock.
 */
export function vsockLocalCid(): number {
  return checkedResult(
    cidSchema,
    callNative(() => nativeKernel().vsockLocalCid(), {
      ENOENT: 'load the vhost_vsock module (in a guest: vmw_vsock_virtio_transport)',
      EACCES: 'run as root',
    }),
  );
}

/**
 * Sends one message, for example `READY=1\nSTATUS=watching 3 VMs`, of at most 4096 bytes to a service manager's
 * socket: an absolute path or `@name`, as its variable NOTIFY_SOCKET has it. Does not wait.
 *
 * Throws ERR_VMPULSE_ARGUMENT, or ERR_VMPULSE_SYSCALL: `errno` ENOENT or ECONNREFUSED when nobody listens, EAGAIN
 * when the receiver's queue is full.
 */
export function sdNotify(socketPath: string, message: string): void {
  callNative(() => nativeKernel().sdNotify(socketPath, message));
}
