import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from '../cli/in-process.js';
import { type Started, startCli } from '../cli/run-cli.js';

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
  const dir = testFolder();
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
/** Asks it by a command line in this process: one of its own takes most of a second of CPU to start. */
export const ask = (here: Place, ...args: string[]) => runCommandLine([...args, '--socket', here.socket]);
