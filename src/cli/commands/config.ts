import { plainText } from '../../model/plain-text.js';
import { type Cli, type CliCommand, json } from '../cli.js';
import { examples } from '../examples.js';
import { addConfigChange } from './config-change.js';
import { addConfigImport } from './config-import.js';
import { addConfigShow } from './config-show.js';

/** `vmpulse config …`. */
export const configCommand: CliCommand = {
  register(program, cli) {
    const config = program
      .command('config')
      .summary('look at the configuration, and change it while the daemon runs')
      .description(
        'Shows what holds and where it is from, and changes it while the daemon runs: at once, until withdrawn or for a time, over restarts, beside the files, which stay as they are.',
      )
      .addHelpText(
        'after',
        examples(
          ['vmpulse config show', 'what holds, and who said it'],
          ['vmpulse config set recovery.enabled false --for 2h', 'of all VMs, for two hours'],
          ['vmpulse config check /etc/vmpulse/config.yaml', 'is it valid?'],
        ),
      );
    addConfigImport(config, cli);
    addConfigShow(config, cli);
    addConfigChange(config, cli);
    config
      .command('check')
      .alias('validate')
      .description(
        'Reads a configuration and all its documents as the daemon would, and tells every error with file, line, path and remedy.',
      )
      .argument('<file>', 'the configuration file')
      .option('--json', 'print one line of JSON')
      .addHelpText('after', examples(['vmpulse config check /etc/vmpulse/config.yaml', 'before a reload']))
      .action((file: string, options: { readonly json?: true }) => check(cli, file, options.json === true));
  },
};

async function check(cli: Cli, file: string, asJson: boolean): Promise<void> {
  const { loadConfig } = await import('../../config/index.js');
  const { vms, warnings } = await loadConfig(file);
  const ids = vms.map(({ id }) => id);
  if (asJson) {
    cli.stdout.write(json({ file, vms: ids, warnings }));
    return;
  }
  for (const warning of warnings) cli.stderr.write(`vmpulse: warning: ${plainText(warning, 4096)}\n`);
  cli.stdout.write(`${plainText(file, 4096)}: valid, ${ids.length === 1 ? '1 VM' : `${ids.length} VMs`}\n`);
}
