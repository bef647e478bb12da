import { z } from 'zod';
import { nativeKernel } from './loader.js';
import { callNative, checkedResult } from './native-errors.js';

const id = z.int().min(0).max(0xffff_ffff);
/** `pid` 0: of a PID namespace that this process does not see. */
const credentialsSchema = z.object({ pid: z.int().min(0), uid: id, gid: id });

/** Who was at the other end of a Unix socket when it connected. */
export type PeerCredentials = z.output<typeof credentialsSchema>;

/**
 * Who connected to that Unix socket, by the file descriptor of this end; the caller keeps it open. Throws
 * ERR_VMPULSE_SYSCALL: `errno` ENOTCONN where there is no such peer, EBADF, ENOTSOCK.
 */
export function peerCredentials(fd: number): PeerCredentials {
  return checkedResult(
    credentialsSchema,
    callNative(() => nativeKernel().peerCredentials(fd)),
  );
}

/** The supplementary groups of that peer, as it connected. Throws as peerCredentials. */
export function peerGroups(fd: number): readonly number[] {
  return checkedResult(
    z.array(id),
    callNative(() => nativeKernel().peerGroups(fd)),
  );
}
