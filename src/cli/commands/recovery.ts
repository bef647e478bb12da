import { holdsAnswer } from '../../daemon/answers/recovery.js';
import type { HoldAnswer } from '../../daemon/answers/status.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { vmId } from '../selectors.js';
import { holdText } from '../text/status-text.js';
import { addLog } from './recovery-log.js';

interface HoldOptions extends ChangeOptions {
  readonly vm?: string;
  readonly for?: number;
  readonly reason: string;
}

/** `vmpulse recovery hold|resume|history|log`. */
export const recoveryCommand: CliCommand = {
  register(program, cli) {
    const recovery = program
      .command('recovery')
      .summary('hold recovery back, let it go on, see what it did')
      .description('While recovery is held nothing is done to a VM; probing, status and explain go on.')
      .addHelpText(
        'after',
        examples(
          ['vmpulse recovery hold --for 30m --reason "switch firmware"', 'nothing is done to any VM'],
          ['vmpulse recovery resume', 'recovery goes on'],
        ),
      );
    recovery
      .command('hold')
      .description(
        'Holds recovery of one VM or of all, until resumed or for a time. Who and why is recorded.',
      )
      .option('--vm <vm>', 'name or namespace/name; without it all VMs')
      .option('--for <time>', 'end by itself after this, for example 10m or 1h30m', parseTime)
      .requiredOption('--reason <text>', 'why; shown by status and kept in the journal')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse recovery hold --for 30m --reason "switch firmware"', 'all VMs, half an hour'],
          ['vmpulse recovery hold --vm db --reason "restore running"', 'one VM, until resumed'],
        ),
      )
      .action(({ vm, for: forMs, reason, ...options }: HoldOptions, command) =>
        withDaemon(command, cli, async (client) => {
          if (!(await goesOn(cli, options, `hold recovery of ${await whose(client, vm)}`))) return;
          const body = { vm, reason, author: author(), forMs };
          const answer = await client.post('/v1/recovery/hold', body, asCame(holdsAnswer));
          await show(cli, options, answer, ({ holds }) => holdsText(holds));
        }),
      );
    recovery
      .command('resume')
      .description('Withdraws a hold: that of one VM, or the one over all VMs.')
      .option('--vm <vm>', 'name or namespace/name; without it the hold over all VMs')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse recovery resume', 'recovery goes on'],
          ['vmpulse recovery resume --vm db', 'for one VM'],
        ),
      )
      .action(({ vm, ...options }: ChangeOptions & { readonly vm?: string }, command) =>
        withDaemon(command, cli, async (client) => {
          if (!(await goesOn(cli, options, `resume recovery of ${await whose(client, vm)}`))) return;
          const body = { vm, author: author() };
          const answer = await client.post('/v1/recovery/resume', body, asCame(holdsAnswer));
          await show(cli, options, answer, ({ holds }) => holdsText(holds));
        }),
      );
    addLog(recovery, cli);
  },
};

async function whose(client: DaemonClient, vm: string | undefined): Promise<string> {
  return vm === undefined ? 'all VMs' : await vmId(client, vm);
}

function holdsText(holds: readonly HoldAnswer[]): string {
  if (holds.length === 0) return 'nothing holds recovery\n';
  return holds.map((hold) => `recovery held: ${holdText(hold, Date.now())}\n`).join('');
}
