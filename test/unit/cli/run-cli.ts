import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<Ended>;
}

export interface StartOptions {
  readonly uid?: number;
  /** An open file to write stderr to; by default it is kept. */
  readonly stderr?: number;
  /** Program and arguments under which it runs. */
  readonly under?: readonly string[];
}

/** Starts the built command line with nothing of this process's own settings; it is killed with the test. */
export function startCli(
  args: readonly string[],
  variables: Record<string, string> = {},
  options: StartOptions = {},
): Started {
  const { VMPULSE_SOCKET: _socket, NO_COLOR: _colour, NOTIFY_SOCKET: _notify, ...inherited } = process.env;
  const [program = '', ...more] = [...(options.under ?? []), process.execPath, MAIN, ...args];
  const child = spawn(program, more, {
    env: { ...inherited, ...variables },
    stdio: ['ignore', 'pipe', options.stderr ?? 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      output[name] += chunk;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...output }));
  });
  return { child, output, ended };
}

/** Runs the built command line to its end. */
export function runCli(args: readonly string[], variables: Record<string, string> = {}): Promise<Ended> {
  return startCli(args, variables).ended;
}
