import { createServer, type Server, type Socket } from 'node:net';
import { plainText } from '../model/plain-text.js';
import type { RuntimeApi, VmView } from '../runtime/views.js';

/** Longest wait for the name, ms; HAProxy sends it at once. */
const NAME_MS = 1_000;
/** `namespace/name` and a line end; more is no name. */
const MAX_NAME_BYTES = 512;
const MAX_CONNECTIONS = 256;
const MAX_WHY_CHARS = 120;

/**
 * Serves HAProxy's agent-check: a server of a backend sends the name of its VM (`agent-send "web-1\n"`) and hears `up`
 * or `down #why`. Whoever names no VM hears nothing: HAProxy then keeps the state it has, as a mistake in a configuration
 * must not take a server away. Not listening yet.
 */
export function createAgentCheck(runtime: Pick<RuntimeApi, 'resolveVm' | 'viewVm'>): Server {
  const server = createServer((socket) => serve(socket, runtime));
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

function serve(socket: Socket, runtime: Pick<RuntimeApi, 'resolveVm' | 'viewVm'>): void {
  let received = '';
  socket.setEncoding('utf8');
  socket.setTimeout(NAME_MS, () => socket.destroy());
  // The other side goes away when it likes.
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    received += text;
    const end = received.indexOf('\n');
    if (end >= 0) socket.end(answer(runtime, received.slice(0, end).trim()));
    else if (received.length > MAX_NAME_BYTES) socket.destroy();
  });
}

function answer(runtime: Pick<RuntimeApi, 'resolveVm' | 'viewVm'>, name: string): string {
  try {
    return stateOf(runtime.viewVm(runtime.resolveVm(name)));
  } catch {
    return '';
  }
}

function stateOf(vm: VmView): string {
  if (vm.ready) return 'up\n';
  // A line of its own words: no control characters, no second comment.
  const why = plainText(vm.note === '' ? vm.health : `${vm.health}: ${vm.note}`, MAX_WHY_CHARS);
  return `down #${why.replaceAll('#', ' ')}\n`;
}
