import { holdsAnswer } from '../../daemon/answers/recovery.js';
import type { HoldAnswer } from '../../daemon/answers/status.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { parseTime } from '../parse-time.js';
import { holdText } from '../text/status-text.js';

interface HoldOptions {
  readonly vm?: string;
  readonly for?: number;
  readonly reason: string;
}

/** `vmpulse recovery hold` and `vmpulse recovery resume`. */
export const recoveryCommand: CliCommand = {
  register(program, cli) {
    const recovery = program
      .command('recovery')
      .summary('hold recovery back, or let it go on')
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
      .addHelpText(
        'after',
        examples(
          ['vmpulse recovery hold --for 30m --reason "switch firmware"', 'all VMs, half an hour'],
          ['vmpulse recovery hold --vm db --reason "restore running"', 'one VM, until resumed'],
        ),
      )
      .action(({ vm, for: forMs, reason }: HoldOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const body = { vm, reason, author: author(), forMs };
          const { holds } = await client.post('/v1/recovery/hold', body, holdsAnswer);
          cli.stdout.write(holdsText(holds));
        }),
      );
    recovery
      .command('resume')
      .description('Withdraws a hold: that of one VM, or the one over all VMs.')
      .option('--vm <vm>', 'name or namespace/name; without it the hold over all VMs')
      .addHelpText(
        'after',
        examples(
          ['vmpulse recovery resume', 'recovery goes on'],
          ['vmpulse recovery resume --vm db', 'for one VM'],
        ),
      )
      .action(({ vm }: { readonly vm?: string }, command) =>
        withDaemon(command, cli, async (client) => {
          const { holds } = await client.post('/v1/recovery/resume', { vm, author: author() }, holdsAnswer);
          cli.stdout.write(holdsText(holds));
        }),
      );
  },
};

function holdsText(holds: readonly HoldAnswer[]): string {
  if (holds.length === 0) return 'recovery is not held\n';
  return holds.map((hold) => `recovery held: ${holdText(hold, Date.now())}\n`).join('');
}
