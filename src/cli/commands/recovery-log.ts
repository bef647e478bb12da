import type { Command } from 'commander';
import { recoveryLogAnswer } from '../../daemon/answers/journal.js';
import { type Cli, paintOf, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { addHistoryOptions, type HistoryOptions, historyQuery, moreText } from '../history-options.js';
import { recoveryHistoryText, recoveryLogText } from '../text/recovery-log-text.js';

type LogOptions = HistoryOptions & FormatOptions;

/** `vmpulse recovery history` and `vmpulse recovery log`. */
export function addLog(recovery: Command, cli: Cli): void {
  for (const name of ['history', 'log'] as const) {
    const text = name === 'log' ? recoveryLogText : recoveryHistoryText;
    const command = recovery
      .command(name)
      .summary(name === 'log' ? 'what was wrong, done, and came of it' : 'the same, a line each')
      .description('Shows what was done to VMs, newest first: issue, action, result and how long it took.')
      .argument('[vm]', 'name or namespace/name; without it all VMs');
    addHistoryOptions(command, { last: '7d' })
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          [`vmpulse recovery ${name} --last 7d web-1`, 'one VM, the last week'],
          [
            `vmpulse recovery ${name} --json | jq '.recoveries[] | select(.result != "success")'`,
            'what did not help',
          ],
        ),
      )
      .action((vm: string | undefined, options: LogOptions, called) =>
        withDaemon(called, cli, async (client) => {
          const path = `/v1/recovery/log?${historyQuery(options, { vm })}`;
          const answer = await client.get(path, asCame(recoveryLogAnswer));
          await show(
            cli,
            options,
            answer,
            (page) => `${text(page.recoveries, paintOf(cli))}${moreText(page.next)}`,
          );
        }),
      );
  }
}
