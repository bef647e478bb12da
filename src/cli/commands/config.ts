import { plainText } from '../../model/plain-text.js';
import { type CliCommand, json } from '../cli.js';
import { examples } from '../examples.js';

/** `vmpulse config check`. */
export const configCommand: CliCommand = {
  register(program, cli) {
    const config = program
      .command('config')
      .summary('look at a configuration')
      .description('Looks at a configuration without applying it.')
      .addHelpText('after', examples(['vmpulse config check /etc/vmpulse/config.yaml', 'is it valid?']));
    config
      .command('check')
      .description(
        'Reads a configuration and all its documents as the daemon would, and tells every error with file, line, path and remedy.',
      )
      .argument('<file>', 'the configuration file')
      .option('--json', 'print one line of JSON')
      .addHelpText('after', examples(['vmpulse config check /etc/vmpulse/config.yaml', 'before a reload']))
      .action(async (file: string, options: { readonly json?: true }) => {
        const { loadConfig } = await import('../../config/index.js');
        const { vms, warnings } = await loadConfig(file);
        const ids = vms.map(({ id }) => id);
        if (options.json) {
          cli.stdout.write(json({ file, vms: ids, warnings }));
          return;
        }
        for (const warning of warnings) cli.stderr.write(`vmpulse: warning: ${plainText(warning, 4096)}\n`);
        cli.stdout.write(
          `${plainText(file, 4096)}: valid, ${ids.length === 1 ? '1 VM' : `${ids.length} VMs`}\n`,
        );
      });
  },
};
