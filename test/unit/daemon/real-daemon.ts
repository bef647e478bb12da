import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { runCli, type Started, startCli } from '../cli/run-cli.js';
import { tempDir } from './helpers.js';

export const PATIENCE = { timeout: 90_000, interval: 20 };

export interface Place {
  readonly dir: string;
  readonly config: string;
  readonly socket: string;
  /** Arguments of `vmpulse run` here. */
  readonly run: readonly string[];
}

/** A configuration without VMs, and folders of its own. */
export function place(config = ''): Place {
  const dir = tempDir();
  mkdirSync(join(dir, 'vms.d'));
  const file = join(dir, 'config.yaml');
  writeFileSync(file, config);
  const run = ['run', '--config', file, '--state-dir', join(dir, 'state'), '--run-dir', join(dir, 'run')];
  return { dir, config: file, socket: join(dir, 'run', 'vmpulse.sock'), run };
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

export function logLines(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

export async function ready(started: Started): Promise<Started> {
  await vi.waitFor(
    () => expect(logLines(started.output.stderr).map(({ msg }) => msg)).toContain('ready'),
    PATIENCE,
  );
  return started;
}

export const start = (here: Place, ...more: string[]) => ready(startCli([...here.run, ...more]));
export const ask = (here: Place, ...args: string[]) => runCli([...args, '--socket', here.socket]);

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
