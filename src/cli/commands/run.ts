import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Daemon, DaemonOptions } from '../../daemon/daemon.js';
import { given } from '../../model/given.js';
import { type CliCommand, globalOptions } from '../cli.js';
import { DEFAULT_CONFIG } from '../environment.js';
import { examples } from '../examples.js';

interface RunOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly runDir?: string;
}

/** What may still hold the process up after everything was let go, ms. */
const LINGER_MS = 2_000;

/** `vmpulse run`. */
export const runCommand: CliCommand = {
  register(program, cli) {
    program
      .command('run')
      .summary('run the daemon in the foreground')
      .description(
        'Watches the VMs of the configuration until SIGTERM or SIGINT. The VMs run on when it ends; the next start adopts them. SIGHUP reloads the configuration. Logs are lines of JSON on stderr.',
      )
      .option(
        '--config <file>',
        `configuration file; default ${DEFAULT_CONFIG}, without which the VMs found on this host are watched`,
      )
      .option('--state-dir <dir>', 'journal and saved state, instead of what the configuration says')
      .option('--run-dir <dir>', 'sockets and hold file, instead of what the configuration says')
      .addHelpText(
        'after',
        examples(
          ['vmpulse run', `with ${DEFAULT_CONFIG}`],
          ['vmpulse run --config ./lab.yaml --state-dir ./state --run-dir ./run', 'everything in one place'],
        ),
      )
      .action(async ({ config, stateDir, runDir }: RunOptions, command) => {
        const { socket } = globalOptions(command);
        const { notify } = cli.environment;
        await runDaemon({
          configPath: resolve(config ?? DEFAULT_CONFIG),
          discover: config === undefined && !existsSync(DEFAULT_CONFIG),
          ...(stateDir === undefined ? {} : { stateDir: resolve(stateDir) }),
          ...(runDir === undefined ? {} : { runDir: resolve(runDir) }),
          ...(socket === undefined ? {} : { socketPath: resolve(socket) }),
          ...given({ notify, variable: cli.variable }),
        });
      });
  },
};

/** Runs a daemon until a signal ends it. */
async function runDaemon(options: DaemonOptions): Promise<void> {
  // The other commands start faster without all of the daemon.
  const { Daemon: DaemonClass } = await import('../../daemon/daemon.js');
  let daemon: Daemon | undefined;
  const reload = () => {
    // What is wrong with it is in the log; the former configuration stays.
    daemon?.reload().catch(() => {});
  };
  process.on('SIGHUP', reload);
  const ended = nextOf('SIGTERM', 'SIGINT');
  daemon = await DaemonClass.start(options);
  await ended;
  // A second signal does not wait; VMs are not touched by either.
  process.once('SIGTERM', killSelf);
  process.once('SIGINT', killSelf);
  await daemon.close();
  process.off('SIGHUP', reload);
  setTimeout(killSelf, LINGER_MS).unref();
}

/** process.exit() would wait for, and abort in, a thread that a stalled disk holds; what is durable is so by now. */
function killSelf(): void {
  process.kill(process.pid, 'SIGKILL');
}

function nextOf(...signals: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    for (const signal of signals) process.on(signal, end);
  });
}
