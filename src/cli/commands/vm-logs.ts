import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { logAnswer } from '../../daemon/answers/logs.js';
import { type Cli, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { guestText } from '../guest-command.js';
import { wholeNumber } from '../option-parsers.js';
import { untilInterrupted } from '../until-interrupted.js';

const USUAL_LINES = 100;
const MAX_LINES = 10_000;
const LOOK_MS = 500;

interface LogOptions {
  readonly source: 'console' | 'vmm' | 'commands';
  readonly follow?: true;
  readonly lines: number;
}

/** `vmpulse vm logs`. */
export function addLogs(vm: Command, cli: Cli): void {
  vm.command('logs')
    .description(
      'Shows the end of a log of a VM: what its console wrote, what its VMM said, or what was done to it. What could steer a terminal is escaped.',
    )
    .argument('<vm>', 'name or namespace/name')
    .addOption(
      new Option('--console', 'its serial console (default)')
        .implies({ source: 'console' })
        .conflicts(['vmm', 'commands']),
    )
    .addOption(new Option('--vmm', 'output of its VMM').implies({ source: 'vmm' }).conflicts('commands'))
    .addOption(new Option('--commands', 'what persons and vmpulse did to it').implies({ source: 'commands' }))
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option(
      '--lines <count>',
      `as many of the last lines (default ${USUAL_LINES})`,
      wholeNumber(0, MAX_LINES),
      USUAL_LINES,
    )
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm logs web-1 --follow', 'its console, live'],
        ['vmpulse vm logs web-1 --vmm --lines 20', 'why did it not start?'],
        ['vmpulse vm logs web-1 --commands', 'who did what to it'],
      ),
    )
    .action((name: string, options: LogOptions, command) =>
      withDaemon(command, cli, (client) => tell(client, cli, name, options)),
    );
}

async function tell(
  client: DaemonClient,
  cli: Cli,
  name: string,
  { source = 'console', follow, lines }: LogOptions,
): Promise<void> {
  const path = `${vmPath('/v1/vms', name)}/logs?source=${source}`;
  let part = await client.get(`${path}&lines=${lines}`, logAnswer);
  cli.stdout.write(guestText(part.text));
  if (!follow) {
    if (part.text !== '' && !part.text.endsWith('\n')) cli.stdout.write('\n');
    return;
  }
  await untilInterrupted(async (signal) => {
    while (!signal.aborted) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      // A log that is not there yet is read from its beginning.
      const file = encodeURIComponent(part.file ?? 'none');
      part = await client.get(`${path}&file=${file}&after=${part.next}`, logAnswer);
      cli.stdout.write(guestText(part.text));
    }
  });
}
