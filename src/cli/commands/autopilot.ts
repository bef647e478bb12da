import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type ConfigurationAnswer, configurationAnswer } from '../../daemon/answers/configuration.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { AUTOPILOT_OPTIONS, azlinDocument } from '../autopilot-options.js';
import { requireYes, yesOption } from '../changes.js';
import { type Cli, type CliCommand, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { type Answer, asCame, type FormatOptions, listAnswer, show } from '../format.js';
import {
  chooseVms,
  healthOption,
  isOpen,
  type Selection,
  tagOption,
  tellIfNone,
  vmsArgument,
} from '../selectors.js';
import { configurationText } from '../text/configuration-text.js';
import { type ChangeOptions, changeSettings, type WantedChange, withChangeOptions } from './config-change.js';
import { showStatus, withStatusOptions } from './status.js';

interface AutopilotOptions extends ChangeOptions, Selection {
  readonly yes?: true;
}

interface SwitchOptions extends AutopilotOptions {
  readonly healthChecks?: true;
  readonly selfHealing?: true;
}

interface StatusOptions extends FormatOptions, Selection {
  readonly all?: true;
  readonly checkNow?: true;
  readonly verbose?: true;
}

type Setting = Omit<WantedChange & { readonly value: unknown }, 'vm'>;

/** `vmpulse autopilot …`: azlin's words for what vmpulse does. */
export const autopilotCommand: CliCommand = {
  register(program, cli) {
    const autopilot = program
      .command('autopilot')
      .summary("monitoring and self-healing of VMs in azlin's words")
      .description(
        'Switches and sets monitoring (spec.monitoring) and self-healing (spec.recovery) of VMs while the daemon runs, as vmpulse config set does.',
      )
      .addHelpText('after', examples(['vmpulse autopilot enable web-1', 'watched, and brought back']));
    addSwitch(autopilot, cli, 'enable', 'Switches monitoring or self-healing on; without an option both.');
    addSwitch(autopilot, cli, 'disable', 'Switches monitoring or self-healing off; without an option both.');
    addConfig(autopilot, cli);
    addStatus(autopilot, cli);
  },
};

function addSwitch(autopilot: Command, cli: Cli, name: 'enable' | 'disable', description: string): void {
  const command = chosen(autopilot.command(name).description(description))
    .option('--health-checks', 'monitoring: level standard, unless the VM has a level')
    .option('--self-healing', 'recovery');
  withChangeOptions(command)
    .addOption(yesOption())
    .addHelpText('after', examples([`vmpulse autopilot ${name} web-1 --self-healing`, 'recovery alone']))
    .action((names: readonly string[], options: SwitchOptions, self) =>
      withDaemon(self, cli, async (client) => {
        const isAll = !options.healthChecks && !options.selfHealing;
        const isOn = name === 'enable';
        const healing: Setting[] =
          isAll || options.selfHealing ? [{ path: 'recovery.enabled', value: isOn }] : [];
        const watching: Setting[] = isOn
          ? [{ path: 'monitoring', value: { level: 'standard' } }]
          : [{ path: 'monitoring', value: null }];
        await change(client, cli, names, options, name, async (vm) => {
          if (!isAll && !options.healthChecks) return healing;
          const isMonitored = isOn && (await hasMonitoring(client, vm));
          return isMonitored ? healing : [...watching, ...healing];
        });
      }),
    );
}

function addConfig(autopilot: Command, cli: Cli): void {
  const settings = AUTOPILOT_OPTIONS.map(({ flags, help, read }) => new Option(flags, help).argParser(read));
  const command = chosen(
    autopilot
      .command('config')
      .description(
        "Sets monitoring, self-healing and maintenance of VMs. What azlin's options mean here: docs/guides/migrating-from-seeds.md.",
      ),
  )
    .option('--from-file <file>', "azlin's configuration file of a VM (YAML)")
    .addOption(
      new Option('--show', 'show what holds, instead of setting something').conflicts([
        ...settings.map((option) => option.attributeName()),
        ...['fromFile', 'for', 'reason', 'dryRun', 'yes'],
      ]),
    );
  for (const option of settings) command.addOption(option);
  withChangeOptions(command)
    .addOption(yesOption())
    .addHelpText(
      'after',
      examples(
        [
          'vmpulse autopilot config web-1 --level standard --health-interval 3m',
          'what is looked at, how often',
        ],
        ['vmpulse autopilot config web-1 --from-file web-1.yaml', "azlin's file"],
        ['vmpulse autopilot config web-1 --show', 'what holds, and who said it'],
      ),
    )
    .action(
      (
        names: readonly string[],
        options: AutopilotOptions & { readonly show?: true; readonly fromFile?: string },
        self,
      ) =>
        withDaemon(self, cli, async (client) => {
          if (options.show) return showConfig(client, cli, names, options);
          const settings = await meant(cli, options.fromFile, self.opts());
          if (settings.length === 0)
            throw new VmpulseError(
              'ERR_VMPULSE_USAGE',
              'nothing is to be set; give an option, --from-file or --show',
            );
          await change(client, cli, names, options, 'configure', async () => settings);
        }),
    );
}

/** What the options and the file mean. Throws ERR_VMPULSE_USAGE where an option has no counterpart; of a file it is told. */
async function meant(
  cli: Cli,
  path: string | undefined,
  options: Readonly<Record<string, unknown>>,
): Promise<readonly Setting[]> {
  const { azlinSettings, documentText } = await import('../../config/index.js');
  const ofFile = path === undefined ? undefined : azlinSettings(await documentOf(path, readText(path)));
  for (const { place, path: at, why } of ofFile?.notTaken ?? [])
    cli.stderr.write(
      `vmpulse: not taken over: ${plainText(`${place.file}:${place.line}:${place.column} ${at}: ${why}`, 1000)}\n`,
    );
  const typed = azlinDocument(options);
  const ofOptions = azlinSettings(await documentOf('options', documentText(typed.document)));
  const [refused] = ofOptions.notTaken;
  if (refused !== undefined) {
    const flag = typed.flagOf(refused.path);
    throw new VmpulseError('ERR_VMPULSE_USAGE', `${flag} ${refused.why}`);
  }
  return [...(ofFile?.settings ?? []), ...ofOptions.settings];
}

async function documentOf(path: string, text: string) {
  const { ProblemList, parseDocuments } = await import('../../config/index.js');
  const problems = new ProblemList();
  const [document] = parseDocuments({ path, text }, problems).documents;
  problems.throwIfAny();
  if (document !== undefined) return document;
  throw new VmpulseError(
    'ERR_VMPULSE_CONFIG',
    `${plainText(path)}:1:1: has no document; write azlin's configuration of a VM`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const text = `${plainText(path)} cannot be read: ${plainText(errorMessage(error))}`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
  }
}

async function showConfig(
  client: DaemonClient,
  cli: Cli,
  names: readonly string[],
  options: Selection & FormatOptions,
): Promise<void> {
  const vms: Answer<ConfigurationAnswer>[] = [];
  const chosen = await chooseVms(client, names, options);
  tellIfNone(cli, chosen);
  for (const { shown } of chosen)
    vms.push(await client.get(vmPath('/v1/config', shown.id), asCame(configurationAnswer)));
  await show(cli, options, listAnswer('vms', vms), (shown) =>
    shown.map((one) => `${one.vm}\n${configurationText(one)}`).join(''),
  );
}

function addStatus(autopilot: Command, cli: Cli): void {
  withStatusOptions(
    autopilot.command('status').description('Shows health and checks of VMs, as vmpulse status does.'),
  )
    .addHelpText('after', examples(['vmpulse autopilot status --all', 'all VMs in short']))
    .action((names: readonly string[], options: StatusOptions, self) =>
      showStatus(cli, names, options, self),
    );
}

function chosen(command: Command): Command {
  return command.addArgument(vmsArgument()).addOption(tagOption()).addOption(healthOption());
}

/** Makes the changes to all VMs that are chosen, or to none. */
async function change(
  client: DaemonClient,
  cli: Cli,
  names: readonly string[],
  options: AutopilotOptions,
  verb: string,
  settingsOf: (vm: string) => Promise<readonly Setting[]>,
): Promise<void> {
  const vms = (await chooseVms(client, names, options)).map(({ shown }) => shown.id);
  tellIfNone(cli, vms);
  if (!options.dryRun) await requireYes(cli, options, { verb, vms, open: isOpen(names, options) });
  const changes: WantedChange[] = [];
  for (const vm of vms) for (const setting of await settingsOf(vm)) changes.push({ vm, ...setting });
  await changeSettings(client, cli, changes, options);
}

async function hasMonitoring(client: DaemonClient, vm: string): Promise<boolean> {
  const { settings } = await client.get(vmPath('/v1/config', vm), configurationAnswer);
  return settings.some(({ path }) => path.startsWith('monitoring.'));
}
