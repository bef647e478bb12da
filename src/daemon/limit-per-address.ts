import type { Server } from 'node:http';

/** Connections of one address at once: a guest that floods the port does not silence the others. */
const MAX_CONNECTIONS_PER_ADDRESS = 8;

/** Cuts off who has too many connections already. */
export function limitPerAddress(server: Server): void {
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
    if (count > MAX_CONNECTIONS_PER_ADDRESS) socket.destroy();
  });
}
