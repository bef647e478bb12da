import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProbeEngine, ProbeEngineOptions } from '../../../src/engine/index.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { testFolder } from '../../fixtures/folder.js';
import { openEngine, within } from '../../native/engine/support.js';

/** A portable engine that is closed when the test ends. */
export function openPortable(options: ProbeEngineOptions = {}): ProbeEngine {
  return openEngine({ ...options, engine: 'portable' });
}

/** The error of a call that must throw one of ours. */
export function errorOf(call: () => unknown): VmpulseError {
  try {
    call();
  } catch (error) {
    if (error instanceof VmpulseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Blocks this thread, as a busy host program does. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

type Place = { readonly unix: string } | { readonly ip: string; readonly port: number };

/** A process that listens and never accepts, until the test ends. `fill` takes every place of its backlog. */
export async function stuckListener(
  family: 'tcp' | 'unix',
): Promise<{ readonly endpoint: Place; readonly fill: () => Promise<void> }> {
  const path = join(testFolder(), 'stuck');
  const listen = family === 'unix' ? { path, backlog: 1 } : { host: '127.0.0.1', port: 0, backlog: 1 };
  const code = `
    const server = require('node:net').createServer();
    server.listen(${JSON.stringify(listen)}, () => {
      process.stdout.write(String(server.address().port) + '\\n', () => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });
    });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await within(once(child.stdout, 'data'), 'the listener');
  const endpoint: Place =
    family === 'unix' ? { unix: path } : { ip: '127.0.0.1', port: Number(String(line)) };
  return { endpoint, fill: () => fillBacklog(endpoint) };
}

async function fillBacklog(endpoint: Place): Promise<void> {
  const clients: Socket[] = [];
  onTestFinished(() => {
    for (const client of clients) client.destroy();
  });
  // A backlog of one takes two; more are refused or left waiting.
  for (let index = 0; index < 2; index += 1) {
    const client =
      'unix' in endpoint ? connect(endpoint.unix) : connect({ host: endpoint.ip, port: endpoint.port });
    client.on('error', () => {});
    clients.push(client);
    await within(once(client, 'connect'), 'a place in the backlog');
  }
}
