import { plainText } from '../../model/plain-text.js';
import type { Cli, CliCommand } from '../cli.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
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
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse config check /etc/vmpulse/config.yaml', 'before a reload']))
      .action((file: string, options: FormatOptions) => check(cli, file, options));
  },
};

async function check(cli: Cli, file: string, options: FormatOptions): Promise<void> {
  const { loadConfig } = await import('../../config/index.js');
  const { vms, warnings } = await loadConfig(file);
  const ids = vms.map(({ id }) => id);
  if (options.format === 'table')
    for (const warning of warnings) cli.stderr.write(`vmpulse: warning: ${plainText(warning, 4096)}\n`);
  const count = ids.length === 1 ? '1 VM' : `${ids.length} VMs`;
  const text = `${plainText(file, 4096)}: valid, ${count}\n`;
  await show(cli, options, plain({ file, vms: ids, warnings }), () => text);
}
