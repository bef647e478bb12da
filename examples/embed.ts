// Probes addresses from a host program and prints every change. In a clone of vmpulse, after npm install:
//   npx tsc -p examples
//   node build/examples/embed.js 127.0.0.1:22 127.0.0.1:80
import { ProbeEngine, type Target } from 'vmpulse';

/** TCP connect every second; one failure is enough to say so. */
function target(address: string): Target {
  const [ip = '', port = ''] = address.split(':');
  return {
    id: address,
    check: { kind: 'tcpSocket', endpoint: { ip, port: Number(port) }, close: 'rst' },
    timing: { initialDelayMs: 0, periodMs: 1000, timeoutMs: 500, successThreshold: 1, failureThreshold: 1 },
    startState: 'unknown',
  };
}

const addresses = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

await using engine = new ProbeEngine();
const handles = engine.add(addresses.map(target));
const names = new Map(addresses.map((address, i) => [handles[i], address]));

for await (const batch of engine.transitions({ signal: stop.signal })) {
  for (const event of batch) {
    if (event.type !== 'transition') continue;
    const why = event.reason === undefined ? '' : ` (${event.reason})`;
    console.log(`${names.get(event.handle)}: ${event.from} → ${event.to}${why}`);
  }
}
