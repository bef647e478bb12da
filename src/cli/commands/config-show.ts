import type { Command } from 'commander';
import type { z } from 'zod';
import { MONITOR_SETTINGS } from '../../config/health-monitor.js';
import { type ConfigurationAnswer, configurationAnswer } from '../../daemon/answers/configuration.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { type Cli, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { type Answer, asCame, type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { isMonitorSection, settingNamed } from '../setting-names.js';
import { configurationText, valueText } from '../text/configuration-text.js';

interface ShowOptions extends FormatOptions {
  readonly vm?: string;
}

/** `vmpulse config get` and `vmpulse config show`. */
export function addConfigShow(config: Command, cli: Cli): void {
  config
    .command('show')
    .description(
      'Shows every setting that holds, of the daemon or of a VM, with where its value is from, and what was set at run time. Secrets are left out.',
    )
    .option('--vm <vm>', 'name or namespace/name; without it the daemon')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse config show', 'the daemon, and what was set at run time of anything'],
        ['vmpulse config show --vm web-1', 'one VM'],
      ),
    )
    .action((options: ShowOptions, command) =>
      withDaemon(command, cli, async (client) => {
        await show(cli, options, await configurationOf(client, options.vm), configurationText);
      }),
    );
  config
    .command('get')
    .description('Prints one setting that holds, or all below a path.')
    .argument('<setting>', 'for example probes.timeout, recovery, or health_monitor')
    .option('--vm <vm>', 'name or namespace/name; without it the daemon')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse config get probes.timeout', 'its value alone'],
        ['vmpulse config get health_monitor', "in Blixard's words"],
      ),
    )
    .action((name: string, options: ShowOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const { data } = await configurationOf(client, options.vm);
        await show(cli, options, plain(valuesOf(name, data)), (shown) => textOf(name, shown));
      }),
    );
}

function configurationOf(
  client: DaemonClient,
  vm: string | undefined,
): Promise<Answer<ConfigurationAnswer, ConfigurationCame>> {
  const path = vm === undefined ? '/v1/config' : vmPath('/v1/config', vm);
  return client.get(path, asCame(configurationAnswer));
}

type ConfigurationCame = z.input<typeof configurationAnswer>;

type Values = Readonly<Record<string, unknown>>;

/** The settings that a name means, by the names that go with it. Throws ERR_VMPULSE_USAGE. */
function valuesOf(name: string, { settings }: ConfigurationCame): Values {
  const byPath = new Map(settings.map(({ path, value }) => [path, value]));
  if (isMonitorSection(name))
    return Object.fromEntries(
      MONITOR_SETTINGS.flatMap((each) =>
        byPath.has(each.path) ? [[each.name, each.toTheirs(byPath.get(each.path))]] : [],
      ),
    );
  const { path, theirs } = settingNamed(name);
  const found = settings.filter((each) => each.path === path || each.path.startsWith(`${path}.`));
  if (found.length === 0) {
    const message = `${plainText(name)} is not set; vmpulse config show lists what is`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', message);
  }
  return Object.fromEntries(
    found.map((each) => [
      theirs === undefined ? each.path : name,
      theirs === undefined ? each.value : theirs.toTheirs(each.value),
    ]),
  );
}

function textOf(name: string, values: Values): string {
  const entries = Object.entries(values);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === name) return `${valueText(only[1])}\n`;
  return entries.map(([path, value]) => `${plainText(path)} = ${valueText(value)}\n`).join('');
}
