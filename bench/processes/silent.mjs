// Listens with the shortest queue there is, tells its port, and is then stopped by its parent.
import { createServer } from 'node:net';

const server = createServer().listen({ port: 0, host: '0.0.0.0', backlog: 1 }, () =>
  process.send(server.address().port),
);
process.once('disconnect', () => process.exit());
