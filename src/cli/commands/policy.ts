import { recoveryPolicyAnswer } from '../../daemon/answers/recovery.js';
import { type CliCommand, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { recoveryPolicyText } from '../text/recovery-policy-text.js';

/** `vmpulse policy show VM`. */
export const policyCommand: CliCommand = {
  register(program, cli) {
    const policy = program
      .command('policy')
      .summary('how failures of a VM are answered')
      .description('Tells which recovery policy holds for a VM, and which document each value is from.')
      .addHelpText('after', examples(['vmpulse policy show web-1', 'every value, and who said it']));
    policy
      .command('show')
      .summary('show the recovery policy of a VM, and where each value comes from')
      .description(
        'Shows how failures of a VM are answered, as the daemon has it, and which document said each value.',
      )
      .argument('<vm>', 'name or namespace/name')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse policy show web-1', 'every value, and who said it'],
          ['vmpulse policy show web-1 --json | jq .recovery.enabled', 'whether it acts, for a program'],
        ),
      )
      .action((vm: string, options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const path = vmPath('/v1/policy', vm);
          const answer = await client.get(path, asCame(recoveryPolicyAnswer));
          await show(cli, options, answer, recoveryPolicyText);
        }),
      );
  },
};
