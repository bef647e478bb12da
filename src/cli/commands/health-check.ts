import type { Command } from 'commander';
import type { z } from 'zod';
import type { checkNowAnswer } from '../../daemon/answers/checks.js';
import { vmHealthAnswer } from '../../daemon/answers/health.js';
import { askVms, checkNow } from '../check-now.js';
import { type Cli, paintOf, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import {
  type Answer,
  asCame,
  type FormatOptions,
  formatOption,
  jsonOption,
  listAnswer,
  show,
} from '../format.js';
import {
  healthOption,
  type Selection,
  selectVms,
  tagOption,
  tellIfNone,
  vmId,
  vmsArgument,
} from '../selectors.js';
import { type CheckedVm, checksText, checkText } from '../text/health-text.js';

interface CheckOptions extends FormatOptions {
  readonly vm: string;
  readonly verbose?: boolean;
}

/** `vmpulse health check`. */
export function addCheck(health: Command, cli: Cli): void {
  health
    .command('check')
    .description(
      'Asks every probe of a VM at once, outside its schedule; state and recovery are not touched. Status 1 when one fails.',
    )
    .requiredOption('--vm <vm>', 'name or namespace/name')
    .option('--verbose', 'also what each said last on its schedule, and since when it is so')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse health check --vm db --verbose', 'is it well, and was it?']))
    .action(({ vm, verbose = false, ...options }: CheckOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const all = await checkVms(client, cli, [await vmId(client, vm)], () => true);
        for (const one of all)
          await show(cli, options, one, (shown) => checkText(shown, verbose, Date.now(), paintOf(cli)));
      }),
    );
}

interface CheckAllOptions extends FormatOptions, Selection {
  readonly force?: boolean;
}

/** `vmpulse health check-all`. */
export function addCheckAll(health: Command, cli: Cli): void {
  health
    .command('check-all')
    .description(
      'Asks the probes of those VMs, all or chosen, of which one has not said anything within its period. Status 1 when one fails.',
    )
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .option('--force', 'ask every probe at once, whenever it spoke last')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse health check-all --force', 'every probe of every VM, now'],
        ['vmpulse health check-all --health-status unhealthy --force', 'are they still?'],
      ),
    )
    .action((names: string[], { force = false, ...options }: CheckAllOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const vms = await selectVms(client, names, options);
        const isStale = (atMs: number | null, periodMs: number) =>
          force || atMs === null || Date.now() - atMs > periodMs;
        tellIfNone(cli, vms);
        const ids = vms.map(({ shown }) => shown.id);
        const checked = await checkVms(client, cli, ids, isStale);
        await show(cli, options, listAnswer('vms', checked), (all) => checksText(all, paintOf(cli)));
      }),
    );
}

type IsStale = (atMs: number | null, periodMs: number) => boolean;

/** The status is 1 where a probe fails, and where one of several VMs could not be asked, which is told. */
function checkVms(
  client: DaemonClient,
  cli: Cli,
  vms: readonly string[],
  isStale: IsStale,
): Promise<Answer<CheckedVm>[]> {
  const failed = ({ shown: { results } }: Answer<CheckedVm>) =>
    results.some(({ result }) => result === 'failed');
  return askVms(cli, vms, (vm) => checkVm(client, vm, isStale), failed);
}

/** What the probes of a VM say: asked now where one of them has to be, else what they said last. */
async function checkVm(client: DaemonClient, vm: string, isStale: IsStale): Promise<Answer<CheckedVm>> {
  const known = await client.get(`${vmPath('/v1/vms', vm)}/health`, asCame(vmHealthAnswer));
  const must = known.shown.probes.some(({ last, periodMs }) => isStale(last?.atMs ?? null, periodMs));
  if (!must) return { data: said(known.data), shown: said(known.shown) };
  const asked = await checkNow(client, vm);
  return { data: saidNow(known.data, asked.data), shown: saidNow(known.shown, asked.shown) };
}

/** What the probes said last on their schedule. */
function said(known: z.input<typeof vmHealthAnswer>): CheckedVm {
  const results = known.probes.flatMap(({ name, kind, last }) => {
    if (last === null) return [];
    const { result, reason, durationMs } = last;
    return [{ probe: name, kind, result, reason, durationMs, warnings: [], details: {} }];
  });
  return { ...known, askedNow: false, results };
}

function saidNow(
  known: z.input<typeof vmHealthAnswer>,
  { results }: z.input<typeof checkNowAnswer>,
): CheckedVm {
  return {
    ...known,
    askedNow: true,
    results: results.map(({ name, kind, outcome, durationMs, warnings, details }) => ({
      ...{ probe: name, kind, result: outcome.result, reason: outcome.reason ?? null },
      ...{ durationMs, warnings, details },
    })),
  };
}
