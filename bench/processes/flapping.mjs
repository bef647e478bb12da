// A port that is open until it is told a period, and from then on closes and opens once each.
import { createServer } from 'node:net';

const sockets = new Set();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.once('close', () => sockets.delete(socket));
});
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit());
server.listen({ port: 0, host: '0.0.0.0' }, () => {
  const { port } = server.address();
  process.once('message', (periodMs) => {
    setInterval(() => {
      if (!server.listening) return void server.listen({ port, host: '0.0.0.0' });
      server.close();
      for (const socket of sockets) socket.destroy();
    }, periodMs);
  });
  process.send(port);
});
