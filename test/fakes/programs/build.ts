import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Order } from './control.js';

const FAKES = fileURLToPath(new URL('..', import.meta.url));
const MODULES = [
  'rest-server',
  'cloud-hypervisor',
  'firecracker',
  'hybrid-vsock',
  'programs/control',
  'programs/guest-agent',
  'programs/cloud-hypervisor',
  'programs/firecracker',
];

/** Builds the fake programs into a folder and gives their paths: executables that are spawned as the real ones are. */
export function buildFakePrograms(folder: string): {
  readonly cloudHypervisor: string;
  readonly firecracker: string;
} {
  mkdirSync(join(folder, 'programs'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const name of MODULES) {
    const source = readFileSync(join(FAKES, `${name}.ts`), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    writeFileSync(join(folder, `${name}.js`), outputText);
  }
  const program = (name: string) => {
    const path = join(folder, name);
    // With exec, so that the process is the one that was spawned.
    const script = `#!/bin/sh\nexec ${process.execPath} ${join(folder, 'programs', `${name}.js`)} "$@"\n`;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
    return path;
  };
  return { cloudHypervisor: program('cloud-hypervisor'), firecracker: program('firecracker') };
}

/** Gives an order to a fake program by its API socket, and waits until it is carried out. */
export function giveOrder(apiSocket: string, order: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(`${apiSocket}.control`);
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
    socket.write(JSON.stringify(order));
  });
}
