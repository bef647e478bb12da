import { type Command, Option } from 'commander';
import { type HostAnswer, hostAnswer, vmAnswer } from '../../daemon/answers/status.js';
import { VmpulseError } from '../../model/errors.js';
import { anyFailed, askVms, checkNow } from '../check-now.js';
import { type Cli, type CliCommand, paintOf, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import {
  asCame,
  type FormatOptions,
  formatOption,
  formatted,
  jsonOption,
  listAnswer,
  show,
} from '../format.js';
import { parseTime } from '../option-parsers.js';
import { needs } from '../option-rules.js';
import { recoveriesSince, truncatedText } from '../recovery-log.js';
import { askHosts, parseHosts } from '../remote-hosts.js';
import {
  healthOption,
  isOpen,
  type Selection,
  selectFrom,
  selectVms,
  tagOption,
  tellIfNone,
  vmsArgument,
} from '../selectors.js';
import { checkNowText } from '../text/checks-text.js';
import { fleetText } from '../text/fleet-text.js';
import { recoveryHistoryText, recoveryLogText, recoverySumText } from '../text/recovery-log-text.js';
import { probeTable, statusText, vmText } from '../text/status-text.js';
import { untilInterrupted } from '../until-interrupted.js';
import { watch } from '../watch.js';

const DAY_MS = 86_400_000;

interface StatusOptions extends FormatOptions, Selection {
  readonly all?: true;
  readonly checkNow?: true;
  readonly verbose?: true;
  readonly recoveryHistory?: true;
  readonly recoveryLog?: true;
  readonly last?: number;
  readonly watch?: true;
  readonly host?: readonly string[];
}

/** `vmpulse status [VM...]`. */
export const statusCommand: CliCommand = {
  register(program, cli) {
    const status = program
      .command('status')
      .summary('show the watched VMs, or some of them')
      .description(
        'Shows every watched VM with its health and what is done about it, those that are chosen, or one VM with its probes.',
      );
    withStatusOptions(status)
      .option('--watch', 'show it again at every change, until Ctrl-C')
      .addOption(
        new Option('--host <hosts>', 'ask the daemons of these hosts by ssh, separated by commas')
          .argParser(parseHosts)
          .conflicts(['watch', 'checkNow', 'recoveryHistory', 'recoveryLog']),
      )
      .addHelpText(
        'after',
        examples(
          ['vmpulse status', 'all VMs'],
          ['vmpulse status default/web-1', 'one VM with its probes'],
          ['vmpulse status web-1 --check-now --verbose', 'what do its probes say right now?'],
          ['vmpulse status --watch', 'all VMs, live'],
          ['vmpulse status web-1 --recovery-log --last 30d', 'what was done to it, and what came of it'],
          ['vmpulse status --all --host node-1,node-2', 'several hosts, in short'],
          [`vmpulse status --json | jq '.vms[] | select(.ready | not) | .id'`, 'those that are not ready'],
        ),
      )
      .action((names: readonly string[], options: StatusOptions, command) =>
        showStatus(cli, names, options, command),
      );
  },
};

/** What every command takes that shows how VMs are. */
export function withStatusOptions(command: Command): Command {
  command
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .option('--all', 'a summary: how many are how, and which are not well')
    .addOption(
      new Option(
        '--check-now',
        'ask every probe at once and show what it says; states do not change',
      ).conflicts(['watch', 'all']),
    )
    .option('--verbose', 'with the probes of each VM; --check-now: with all that they measured')
    .addOption(
      new Option('--recovery-history', 'what was done to VMs of late, a line each').conflicts([
        'watch',
        'checkNow',
        'all',
        'verbose',
      ]),
    )
    .addOption(
      new Option('--recovery-log', 'the same with what was wrong and what came of it').conflicts([
        'watch',
        'checkNow',
        'all',
        'verbose',
        'recoveryHistory',
      ]),
    )
    .option('--last <time>', 'how far back these two go (default 7d)', parseTime)
    .addOption(formatOption())
    .addOption(jsonOption());
  needs(command, '--last', '--recovery-history', '--recovery-log');
  return command;
}

/** What `vmpulse status` does. */
export async function showStatus(
  cli: Cli,
  names: readonly string[],
  options: StatusOptions,
  command: Command,
): Promise<void> {
  if (options.host !== undefined) return tellHosts(cli, names, options, options.host);
  await withDaemon(command, cli, async (client) => {
    if (options.checkNow) return tellChecks(client, cli, names, options);
    if (options.recoveryHistory || options.recoveryLog) return tellRecoveries(client, cli, names, options);
    const render = () => rendered(client, cli, names, options);
    if (!options.watch) {
      cli.stdout.write(await render());
      return;
    }
    await untilInterrupted((signal) =>
      watch({ client, output: cli.stdout, clear: options.format === 'table', show: render, signal }),
    );
  });
}

async function rendered(
  client: DaemonClient,
  cli: Cli,
  names: readonly string[],
  options: StatusOptions,
): Promise<string> {
  const { format } = options;
  const [name, another] = names;
  if (name !== undefined && another === undefined && !options.all && !isOpen(names, options)) {
    const answer = await client.get(vmPath('/v1/status', name), asCame(vmAnswer));
    return formatted(format, answer, (one) => vmText(one, Date.now(), paintOf(cli)));
  }
  const host = await client.get('/v1/status', asCame(hostAnswer));
  const chosen = await selectFrom(client, host, names, options);
  if (isChosen(names, options) && chosen.shown.vms.length === 0) {
    // Whoever watches sees it where the VMs would be.
    if (options.watch && format === 'table') return 'no VM is chosen\n';
    tellIfNone(cli, []);
    if (format === 'table') return '';
  }
  const text = await formatted(format, chosen, (shown) => hostText(cli, shown, options));
  if (!options.all || format !== 'table') return text;
  const ids = isChosen(names, options) ? new Set(chosen.shown.vms.map(({ id }) => id)) : undefined;
  const found = await recoveriesSince(client, Date.now() - DAY_MS, ids);
  const sum = recoverySumText(found.recoveries.map(({ shown }) => shown));
  return `${text}starts and recoveries in 24 h: ${sum}\n${truncatedText(found)}`;
}

function hostText(cli: Cli, host: HostAnswer, { all, verbose }: StatusOptions): string {
  const paint = paintOf(cli);
  const text = all ? fleetText(host, paint) : statusText(host, paint);
  if (!verbose) return text;
  const probes = host.vms.map(({ id, probes: some }) => `\n${id}\n${probeTable(some, host.nowMs, paint)}`);
  return text + probes.join('');
}

/** Without a choice it is about all VMs, also about those that are not watched any more. */
function isChosen(names: readonly string[], selection: Selection): boolean {
  return names.length > 0 || isOpen(names, selection);
}

async function tellChecks(
  client: DaemonClient,
  cli: Cli,
  names: readonly string[],
  options: StatusOptions,
): Promise<void> {
  const host = await client.get('/v1/status', asCame(hostAnswer));
  const { vms } = (await selectFrom(client, host, names, options)).shown;
  const ids = vms.map(({ id }) => id);
  tellIfNone(cli, ids);
  const checks = await askVms(cli, ids, (vm) => checkNow(client, vm), anyFailed);
  await show(cli, options, listAnswer('vms', checks), (shown) =>
    shown.map((one) => checkNowText(one, options.verbose === true, paintOf(cli))).join('\n'),
  );
}

async function tellRecoveries(
  client: DaemonClient,
  cli: Cli,
  names: readonly string[],
  options: StatusOptions,
): Promise<void> {
  const vms = isChosen(names, options)
    ? new Set((await selectVms(client, names, options)).map(({ shown }) => shown.id))
    : undefined;
  if (vms !== undefined) tellIfNone(cli, [...vms]);
  const found = await recoveriesSince(client, Date.now() - (options.last ?? 7 * DAY_MS), vms);
  const answer = {
    data: { recoveries: found.recoveries.map(({ data }) => data), truncated: found.truncated },
    shown: found.recoveries.map(({ shown }) => shown),
  };
  const text = options.recoveryLog ? recoveryLogText : recoveryHistoryText;
  await show(cli, options, answer, (shown) => `${text(shown, paintOf(cli))}${truncatedText(found)}`);
}

async function tellHosts(
  cli: Cli,
  names: readonly string[],
  options: StatusOptions,
  hosts: readonly string[],
): Promise<void> {
  if (isChosen(names, options)) {
    const text = '--host shows whole hosts; leave out the VMs, or choose with jq from --json';
    throw new VmpulseError('ERR_VMPULSE_USAGE', text);
  }
  const told = await askHosts(cli, hosts);
  const answer = {
    data: { hosts: told.map(({ host, answer: { data } }) => ({ host, status: data })) },
    shown: told.map(({ answer: { shown } }) => shown),
  };
  await show(cli, options, answer, (shown) => shown.map((host) => hostText(cli, host, options)).join('\n'));
}
