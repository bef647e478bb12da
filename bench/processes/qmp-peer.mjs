// A monitor on the Unix socket that is its argument: it greets, grants everything, and writes the event that its parent
// names, which it tells the time of, in nanoseconds of the monotonic clock.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const GREETING = { QMP: { version: { qemu: { major: 8, minor: 0, micro: 0 } }, capabilities: [] } };

let client;
const server = createServer((socket) => {
  client = socket;
  socket.on('error', () => {});
  const say = (message) => socket.write(`${JSON.stringify(message)}\r\n`);
  say(GREETING);
  createInterface({ input: socket }).on('line', (line) => say({ return: {}, id: JSON.parse(line).id }));
});
server.listen(process.argv[2], () => process.send('listening'));

process.on('message', (event) => {
  const text = `${JSON.stringify({ event, timestamp: { seconds: 0, microseconds: 0 } })}\r\n`;
  const sentAt = process.hrtime.bigint();
  client.write(text);
  process.send(String(sentAt));
});
process.once('disconnect', () => process.exit());
