import type { Command } from 'commander';
import { type ChangeAnswer, changeAnswer, configurationAnswer } from '../../daemon/answers/configuration.js';
import { VmpulseError } from '../../model/errors.js';
import { author, type Cli, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { readValue, settingNamed } from '../setting-names.js';
import { changeText } from '../text/change-text.js';

/** A value to be set, or what was set to be withdrawn; without `vm` of the daemon. */
export type WantedChange =
  | { readonly vm?: string | undefined; readonly path: string; readonly value: unknown }
  | { readonly vm?: string | undefined; readonly path: string; readonly unset: true };

/** Options of every command that changes settings. */
export interface ChangeOptions extends FormatOptions {
  readonly for?: number;
  readonly reason?: string;
  readonly dryRun?: true;
}

/** Adds the options of ChangeOptions. */
export function withChangeOptions(command: Command): Command {
  return command
    .option('--for <time>', 'end by itself after this, for example 10m or 2h', parseTime)
    .option('--reason <text>', 'why; shown by config show and kept in the journal')
    .option('--dry-run', 'only tell what would change')
    .addOption(formatOption())
    .addOption(jsonOption());
}

/** Has the daemon make the changes, all or none, and tells what they did. */
export async function changeSettings(
  client: DaemonClient,
  cli: Cli,
  changes: readonly WantedChange[],
  options: ChangeOptions,
): Promise<void> {
  const { for: forMs, reason, dryRun } = options;
  const body = { changes, forMs, reason, dryRun, author: author() };
  // Where no VM is chosen, or all are so already.
  if (changes.length === 0) return show(cli, options, plain(noChange(dryRun === true)), () => '');
  await show(cli, options, await client.post('/v1/config', body, asCame(changeAnswer)), changeText);
}

function noChange(dryRun: boolean): ChangeAnswer {
  return { dryRun, set: [], withdrawn: [], vms: [], restartRequired: [] };
}

/** `vmpulse config set` and `vmpulse config unset`. */
export function addConfigChange(config: Command, cli: Cli): void {
  withChangeOptions(
    config
      .command('set')
      .description(
        'Sets a value, of the daemon or of one VM, without touching a file. It holds at once and over restarts, until it is withdrawn or for a time. What does not fit is refused, and nothing of it holds.',
      )
      .argument(
        '<setting>',
        'for example recovery.enabled; health_monitor.timeout and its like are known, too',
      )
      .argument('<value>', 'as a document has it: 30s, true, [a, b]; null: as if nothing were written there')
      .option('--vm <vm>', 'name or namespace/name; without it the daemon'),
  )
    .addHelpText(
      'after',
      examples(
        ['vmpulse config set probes.timeout 30s', 'for all probes that say nothing themselves'],
        ['vmpulse config set --vm db recovery.enabled false --for 2h --reason "restore"', 'one VM'],
        ['vmpulse config set health_monitor.retries 3', "in Blixard's words"],
      ),
    )
    .action(async (name: string, text: string, options: SetOptions, command) => {
      const { path, theirs } = settingNamed(name);
      const written = await readValue(text);
      const value = theirs === undefined ? written : theirs.toOurs(written);
      return withDaemon(command, cli, (client) =>
        changeSettings(client, cli, [{ vm: options.vm, path, value }], options),
      );
    });
  config
    .command('unset')
    .description(
      'Withdraws a setting, or all below a path: what the files say holds again. What was set for VMs is withdrawn with --vm only.',
    )
    .argument('[setting]', 'as for config set')
    .option('--vm <vm>', 'name or namespace/name; without it the daemon')
    .option('--all', 'everything that was set of the VM or, without --vm, of the daemon')
    .option('--reason <text>', 'why; kept in the journal')
    .option('--dry-run', 'only tell what would change')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse config unset probes.timeout', 'as the file says'],
        ['vmpulse config unset --vm db --all', 'all of one VM'],
      ),
    )
    .action((name: string | undefined, options: UnsetOptions, command) => {
      if ((name === undefined) === (options.all === undefined))
        throw new VmpulseError('ERR_VMPULSE_USAGE', 'name a setting, or withdraw everything with --all');
      const path = name === undefined ? '' : settingNamed(name).path;
      return withDaemon(command, cli, async (client) => {
        await changeSettings(client, cli, [{ vm: options.vm, path, unset: true }], options);
        if (options.all && options.vm === undefined) await tellWhatStays(client, cli);
      });
    });
}

/** Everything was withdrawn of the daemon: a person may have meant the VMs as well. */
async function tellWhatStays(client: DaemonClient, cli: Cli): Promise<void> {
  const { overrides } = await client.get('/v1/config', configurationAnswer);
  const vms = [...new Set(overrides.flatMap(({ vm }) => vm ?? []))];
  if (vms.length === 0) return;
  const which = vms.length === 1 ? vms[0] : `${vms.length} VMs`;
  cli.stderr.write(
    `vmpulse: what was set for ${which} stays; vmpulse config unset --vm VM --all withdraws it\n`,
  );
}

interface SetOptions extends ChangeOptions {
  readonly vm?: string;
}

interface UnsetOptions extends Omit<ChangeOptions, 'for'> {
  readonly vm?: string;
  readonly all?: true;
}
