import { maintenanceAnswer } from '../../daemon/answers/recovery.js';
import { type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { maintenanceText } from '../text/maintenance-text.js';
import { addBegin, addEnd } from './vm-maintenance.js';

/** `vmpulse maintenance list|start|stop`. */
export const maintenanceCommand: CliCommand = {
  register(program, cli) {
    const maintenance = program
      .command('maintenance')
      .summary('maintenance of VMs')
      .description(
        'Maintenance that the documents of VMs schedule, and work of persons on VMs: start and stop are vm maintenance begin and end.',
      )
      .addHelpText('after', examples(['vmpulse maintenance list', 'what is due when']));
    maintenance
      .command('list')
      .description('Lists every entry with when it is due next, what it waits for, and how it ended last.')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse maintenance list --json', 'for a program']))
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.get('/v1/maintenance', asCame(maintenanceAnswer));
          await show(cli, options, answer, maintenanceText);
        }),
      );
    addBegin(maintenance, cli, 'start');
    addEnd(maintenance, cli, 'stop');
  },
};
