import { createConnection } from 'node:net';
import { FakeHybridVsock, type VsockFault } from '../hybrid-vsock.js';

const AGENT_PORT = 9720;

/** Lets the host reach a vsock port of the guest. */
export interface GuestVsock {
  /** What goes wrong from now on, after what stands has ended; nothing: all is well. */
  readonly fault: (fault?: VsockFault) => void;
}

/**
 * Serves the vsock socket of a fake VMM, if it has one. Where the kernel command line has `agent=PATH`, the guest's agent is
 * what answers on that Unix socket; nothing listens on any other port.
 */
export async function serveVsock(path: string | undefined, line: string): Promise<GuestVsock> {
  if (path === undefined) return { fault: () => {} };
  const vsock = await FakeHybridVsock.listen(path);
  const agent = /(?:^| )agent=(\S+)/.exec(line)?.[1];
  if (agent !== undefined)
    vsock.serve(AGENT_PORT, (socket) => {
      const guest = createConnection(agent);
      const end = () => {
        socket.destroy();
        guest.destroy();
      };
      for (const side of [socket, guest]) side.on('error', end).on('close', end);
      socket.pipe(guest).pipe(socket);
    });
  return {
    fault: (fault) => {
      vsock.fault = fault;
      if (fault !== undefined) vsock.disconnect();
    },
  };
}
