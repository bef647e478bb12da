// What the soak run probes, in a process of its own: TCP and HTTP, a port where nobody listens, a monitor that hangs up.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GREETING = '{"QMP":{"version":{},"capabilities":[]}}\r\n';
/** A monitor hangs up after so many answers. */
const ANSWERS = 20;

async function listening(server, ...where) {
  server.listen(...where);
  await once(server, 'listening');
  return server.address().port;
}

const http = createHttpServer((request, response) => {
  if (request.url === '/silent') return;
  const status = request.url === '/bad' ? 500 : 200;
  response.writeHead(status, { 'X-Kind': 'soak' }).end('x'.repeat(512));
});
http.keepAliveTimeout = 1000;

const tcp = createServer((socket) => socket.on('error', () => {}).resume());

const monitor = createServer((socket) => {
  let left = ANSWERS;
  socket.on('error', () => {});
  socket.write(GREETING);
  socket.setEncoding('utf8').on('data', (text) => {
    for (const line of text.split('\n').filter((part) => part.trim() !== '')) {
      const { execute, id } = JSON.parse(line);
      const value = execute === 'query-status' ? { status: 'running', running: true } : {};
      socket.write(`${JSON.stringify({ return: value, id })}\r\n`);
      left -= 1;
    }
    if (left <= 0) socket.destroy();
  });
});

const folder = mkdtempSync(join(tmpdir(), 'vmpulse-soak-'));
const path = join(folder, 'qmp');
const [httpPort, tcpPort, closedPort] = [
  await listening(http, 0, '127.0.0.1'),
  await listening(tcp, 0, '127.0.0.1'),
  await listening(createServer(), 0, '127.0.0.2'),
];
await listening(monitor, path);
// The port is taken on another address, so nobody is given it here.
process.send({ httpPort, tcpPort, closedPort, monitorPath: path });
process.once('disconnect', () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
