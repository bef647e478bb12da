import { z } from 'zod';
import { hostAnswer, vmAnswer } from '../../daemon/answers/status.js';
import { type Cli, type CliCommand, json, paintOf, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { statusText, vmText } from '../text/status-text.js';
import { untilInterrupted } from '../until-interrupted.js';
import { watch } from '../watch.js';

interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
}

/** `vmpulse status [VM]`. */
export const statusCommand: CliCommand = {
  register(program, cli) {
    program
      .command('status')
      .summary('show the watched VMs, or one of them')
      .description(
        'Shows every watched VM with its health and what is done about it, or one VM with its probes.',
      )
      .argument('[vm]', 'name or namespace/name')
      .option('--json', 'print one line of JSON, as the API gives it')
      .option('--watch', 'show it again at every change, until Ctrl-C')
      .addHelpText(
        'after',
        examples(
          ['vmpulse status', 'all VMs'],
          ['vmpulse status default/web-1', 'one VM with its probes'],
          ['vmpulse status --watch', 'all VMs, live'],
          [`vmpulse status --json | jq '.vms[] | select(.ready | not) | .id'`, 'those that are not ready'],
        ),
      )
      .action((vm: string | undefined, options: StatusOptions, command) =>
        withDaemon(command, cli, (client) => run(client, cli, vm, options)),
      );
  },
};

async function run(
  client: DaemonClient,
  cli: Cli,
  vm: string | undefined,
  options: StatusOptions,
): Promise<void> {
  const show = () => render(client, cli, vm, options.json === true);
  if (!options.watch) {
    cli.stdout.write(await show());
    return;
  }
  await untilInterrupted((signal) =>
    watch({ client, output: cli.stdout, clear: options.json !== true, show, signal }),
  );
}

async function render(
  client: DaemonClient,
  cli: Cli,
  vm: string | undefined,
  asJson: boolean,
): Promise<string> {
  const path = vm === undefined ? '/v1/status' : vmPath('/v1/status', vm);
  if (asJson) return json(await client.get(path, z.unknown()));
  const paint = paintOf(cli);
  if (vm === undefined) return statusText(await client.get(path, hostAnswer), paint);
  return vmText(await client.get(path, vmAnswer), Date.now(), paint);
}
