import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { RestFault, RestServer } from '../rest-server.js';

/** What a test tells a fake program to do, one JSON line each on the socket `<API socket>.control`. */
export type Order =
  /** The next answer to such a request, for example `PUT /api/v1/vm.reboot`. */
  | { readonly fault: RestFault; readonly request: string }
  /** What happens in the guest or to the VMM. */
  | { readonly does: string };

/** Takes orders until the process ends; each is answered by a line once it is carried out. */
export function takeOrders(api: RestServer, does: Readonly<Record<string, () => void>>): void {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const order: Order = JSON.parse(bytes.toString());
      if ('fault' in order)
        api.inject(order.fault, {
          matches: ({ method, path }) => `${method} ${path}` === order.request,
        });
      else does[order.does]?.();
      socket.write('done\n');
    });
  });
  const path = `${api.path}.control`;
  rmSync(path, { force: true });
  server.listen(path);
}

/** The value after an option of a command line. */
export function optionOf(argv: readonly string[], option: string): string | undefined {
  const at = argv.indexOf(option);
  return at < 0 ? undefined : argv[at + 1];
}

/** A part of an option's value, for example of `path` in `path=/run/x,readonly=on`; quotes are taken off. */
export function partOf(value: string | undefined, key: string): string | undefined {
  const found = new RegExp(`(?:^|,)${key}=(?:"([^"]*)"|([^,]*))`).exec(value ?? '');
  return found?.[1] ?? found?.[2];
}
