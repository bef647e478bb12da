import { maintenanceAnswer } from '../../daemon/answers/recovery.js';
import { type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { maintenanceText } from '../text/maintenance-text.js';

/** `vmpulse maintenance list`. */
export const maintenanceCommand: CliCommand = {
  register(program, cli) {
    const maintenance = program
      .command('maintenance')
      .summary('recurring maintenance of VMs')
      .description('Maintenance that the documents of VMs schedule: when it is due, and how it ended last.')
      .addHelpText('after', examples(['vmpulse maintenance list', 'what is due when']));
    maintenance
      .command('list')
      .description('Lists every entry with when it is due next, what it waits for, and how it ended last.')
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse maintenance list --json', 'for a program']))
      .action((options: { readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.get('/v1/maintenance', maintenanceAnswer);
          cli.stdout.write(options.json ? json(answer) : maintenanceText(answer));
        }),
      );
  },
};
