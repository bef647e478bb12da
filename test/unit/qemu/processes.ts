import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { identify, livingState } from '../../../src/hypervisors/process.js';
import type { ProcessIdentity } from '../../../src/model/vm.js';

export interface TestProcess extends ProcessIdentity {
  readonly child: ChildProcess;
}

/**
 * A process that stands for a VMM: Node running `script` with these arguments in its command line. Resolves once the
 * script has printed a line; killed at the end of the test.
 */
export async function standIn(args: readonly string[], script = ''): Promise<TestProcess> {
  const code = `${script};console.log('up');setInterval(() => {}, 1e6)`;
  const child = spawn(process.execPath, ['-e', code, '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', reject);
  });
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new Error('the stand-in is gone');
  return { ...identity, child };
}

/** Kills it and waits until its parent, this process, has reaped it. */
export async function end(process: TestProcess): Promise<void> {
  const exited = new Promise((resolve) => process.child.once('exit', resolve));
  process.child.kill('SIGKILL');
  await exited;
  if (livingState(process) !== undefined) throw new Error('it lives on');
}
