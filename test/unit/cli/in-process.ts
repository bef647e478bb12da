import type { Cli } from '../../../src/cli/cli.js';
import type { Environment } from '../../../src/cli/environment.js';
import { runCli } from '../../../src/cli/program.js';

export interface Told {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const PLAIN: Environment = { socketPath: undefined, noColor: true, notify: undefined };

/** Runs a command line in this process and keeps what it told. */
export async function runCommandLine(
  args: readonly string[],
  options: { readonly environment?: Partial<Environment>; readonly isTTY?: boolean } = {},
): Promise<Told> {
  const told = { status: 0, stdout: '', stderr: '' };
  const cli: Cli = {
    stdout: {
      isTTY: options.isTTY ?? false,
      write: (text) => {
        told.stdout += text;
      },
    },
    stderr: {
      write: (text) => {
        told.stderr += text;
      },
    },
    environment: { ...PLAIN, ...options.environment },
    setExitCode: (code) => {
      told.status = code;
    },
  };
  await runCli(cli, args);
  return told;
}
