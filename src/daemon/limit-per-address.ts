import type { Server } from 'node:net';

/** Connections of one address at once: a guest that floods the port does not silence the others. */
export const CONNECTIONS_PER_GUEST = 8;

/** Cuts off who has too many connections already. */
export function limitPerAddress(server: Server, max = CONNECTIONS_PER_GUEST): void {
  const counts = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    socket.once('close', () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
    if (count > max) socket.destroy();
  });
}
