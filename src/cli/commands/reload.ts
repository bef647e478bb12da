import { type ReloadAnswer, reloadAnswer } from '../../daemon/answers/lifecycle.js';
import { type ChangeOptions, dryRunOption } from '../changes.js';
import { type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';

/** `vmpulse reload`. */
export const reloadCommand: CliCommand = {
  register(program, cli) {
    program
      .command('reload')
      .summary('make the daemon read its configuration again')
      .description(
        'Reads the configuration again and applies it whole, or nothing of it when something is wrong. No VM is stopped or restarted by that.',
      )
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse reload --dry-run', 'what would change? Is it valid?'],
          ['vmpulse reload', 'apply what was edited; the same as SIGHUP'],
        ),
      )
      .action((options: ChangeOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.post(
            '/v1/reload',
            { dryRun: options.dryRun === true },
            asCame(reloadAnswer),
          );
          await show(cli, options, answer, reloadText);
        }),
      );
  },
};

function reloadText({ dryRun, added, removed, changed, settings, warnings }: ReloadAnswer): string {
  const sum = `${added.length} added, ${removed.length} removed, ${changed.length} changed`;
  const lines = [
    ...added.map((id) => `+ ${id}`),
    ...removed.map((id) => `- ${id} (not watched any more; it runs on)`),
    ...changed.map(changeText),
    ...(settings.changed.length === 0 ? [] : [`~ settings of the daemon: ${settings.changed.join(', ')}`]),
    ...warnings.map((warning) => `! ${warning}`),
    dryRun ? `nothing done (--dry-run); a reload would be ${sum}` : `reloaded: ${sum}`,
  ];
  return `${lines.join('\n')}\n`;
}

function changeText({ id, restartRequired, what }: ReloadAnswer['changed'][number]): string {
  const parts = what.map((part) => (part === 'probes' ? 'probes, registered anew' : part));
  const notes = [
    ...(parts.length === 0 ? [] : [parts.join(', ')]),
    ...(restartRequired ? ['restart of the VM required'] : []),
  ];
  return `~ ${id}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}
