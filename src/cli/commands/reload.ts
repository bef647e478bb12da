import { z } from 'zod';
import { type ReloadAnswer, reloadAnswer } from '../../daemon/answers/lifecycle.js';
import { type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';

/** `vmpulse reload`. */
export const reloadCommand: CliCommand = {
  register(program, cli) {
    program
      .command('reload')
      .summary('make the daemon read its configuration again')
      .description(
        'Reads the configuration again and applies it whole, or nothing of it when something is wrong. No VM is stopped or restarted by that.',
      )
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse reload', 'apply what was edited; the same as SIGHUP']))
      .action((options: { readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          if (options.json) cli.stdout.write(json(await client.post('/v1/reload', {}, z.unknown())));
          else cli.stdout.write(reloadText(await client.post('/v1/reload', {}, reloadAnswer)));
        }),
      );
  },
};

function reloadText({ added, removed, changed, warnings }: ReloadAnswer): string {
  const lines = [
    ...added.map((id) => `+ ${id}`),
    ...removed.map((id) => `- ${id} (not watched any more; it runs on)`),
    ...changed.map(
      ({ id, restartRequired }) => `~ ${id}${restartRequired ? ' (restart of the VM required)' : ''}`,
    ),
    ...warnings.map((warning) => `! ${warning}`),
    `reloaded: ${added.length} added, ${removed.length} removed, ${changed.length} changed`,
  ];
  return `${lines.join('\n')}\n`;
}
