import { type ReloadAnswer, reloadAnswer } from '../../daemon/answers/lifecycle.js';
import { type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';

/** `vmpulse reload`. */
export const reloadCommand: CliCommand = {
  register(program, cli) {
    program
      .command('reload')
      .summary('make the daemon read its configuration again')
      .description(
        'Reads the configuration again and applies it whole, or nothing of it when something is wrong. No VM is stopped or restarted by that.',
      )
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse reload', 'apply what was edited; the same as SIGHUP']))
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.post('/v1/reload', {}, asCame(reloadAnswer));
          await show(cli, options, answer, reloadText);
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
