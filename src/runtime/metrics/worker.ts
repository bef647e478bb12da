import { parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import type { PagesOptions, PagesReply, PagesRequest } from './pages-thread.js';
import { VmPages } from './vm-pages.js';

/** The text is repetitive: the fastest level already makes a twentieth of it. */
const GZIP = { level: 1 };

function serve(port: NonNullable<typeof parentPort>, options: PagesOptions): void {
  const pages = new VmPages(options);
  port.on('message', (request: PagesRequest) => {
    if (request.type === 'rows') {
      pages.apply(request.rows, request.gone);
      return;
    }
    const text = pages.render(request.head);
    // A small buffer of Node shares its memory with others and could not be given away.
    const body = request.encoding === 'gzip' ? Uint8Array.from(gzipSync(text, GZIP)) : text;
    const reply: PagesReply = { id: request.id, body };
    port.postMessage(reply, [body.buffer]);
  });
}

if (parentPort) serve(parentPort, workerData);
