import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { healthSummaryAnswer } from '../../daemon/answers/health.js';
import { type JournalPageAnswer, journalPageAnswer } from '../../daemon/answers/journal.js';
import { given } from '../../model/given.js';
import { historyStarts } from '../cleared-history.js';
import { type Cli, type CliCommand, paintOf, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { answersOf, asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import {
  cursorOption,
  type HistoryOptions,
  historyQuery,
  limitOption,
  moreText,
} from '../history-options.js';
import { parseTime } from '../option-parsers.js';
import { summaryText } from '../text/health-text.js';
import { table } from '../text/table.js';
import { moment } from '../text/time.js';
import { addCheck, addCheckAll } from './health-check.js';
import { addReport } from './health-report.js';
import { addReset } from './health-reset.js';

/** `vmpulse health …`. */
export const healthCommand: CliCommand = {
  register(program, cli) {
    const health = program
      .command('health')
      .alias('health-monitor')
      .summary('how VMs are, as their probes have it')
      .description('Tells how many VMs are monitored, asks probes at once, and groups failures.')
      .addHelpText(
        'after',
        examples(
          ['vmpulse health status', 'how many are monitored, how are they?'],
          ['vmpulse health check --vm db --verbose', 'ask the probes of one VM now'],
          ['vmpulse health report --group-by error', 'what fails, and why?'],
        ),
      );
    addStatus(health, cli);
    addCheck(health, cli);
    addCheckAll(health, cli);
    addReport(health, cli, 'report');
    addHistory(health, cli);
    addReset(health, cli);
  },
};

function addStatus(health: Command, cli: Cli): void {
  health
    .command('status')
    .description('Tells how many of the VMs are monitored, why others are not, and how they are.')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([`vmpulse health status --format json | jq '.monitored_vms'`, 'for a check of coverage']),
    )
    .action((options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const { data, shown } = await client.get('/v1/health', asCame(healthSummaryAnswer));
        await show(cli, options, { data: summaryData(data), shown }, (one) => summaryText(one, paintOf(cli)));
      }),
    );
}

/** In the words of the system that this command is known from. */
function summaryData({ totalVms, monitoredVms, coverage, health, probes, unmonitored }: SummaryCame): object {
  return {
    total_vms: totalVms,
    monitored_vms: monitoredVms,
    coverage,
    health,
    checks: probes,
    unmonitored_vms: unmonitored,
  };
}

type SummaryCame = z.input<typeof healthSummaryAnswer>;

interface PeriodOptions extends FormatOptions, Pick<HistoryOptions, 'limit' | 'cursor'> {
  readonly period: number;
}

function addHistory(health: Command, cli: Cli): void {
  health
    .command('history')
    .description('Shows what probes and health of VMs did within a time, newest first.')
    .argument('[vm]', 'name or namespace/name; without it all VMs')
    .addOption(new Option('--period <time>', 'until now').argParser(parseTime).default(parseTime('1h'), '1h'))
    .addOption(limitOption())
    .addOption(cursorOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse health history --period 1h db', 'one VM, the last hour']))
    .action((vm: string | undefined, { period, limit, cursor, ...options }: PeriodOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const wanted = {
          last: period,
          order: 'newest',
          limit,
          ...given({ cursor }),
        } as const;
        const query = historyQuery(wanted, { vm, type: 'transition,health' });
        const counts = await historyStarts(client, period);
        const page = await client.get(`/v1/journal/entries?${query}`, asCame(journalPageAnswer));
        const { entries, next } = page.shown;
        const counting = answersOf(page.data.entries, entries).filter(({ shown }) => counts(shown));
        const answer = {
          data: { entries: counting.map(({ data }) => data), next },
          shown: { entries: counting.map(({ shown }) => shown), next },
        };
        await show(cli, options, answer, historyText);
      }),
    );
}

function historyText({ entries, next }: JournalPageAnswer): string {
  if (entries.length === 0) return 'nothing changed in that time\n';
  const rows = entries.map(({ atMs, vm, text }) => [moment(atMs), vm ?? '-', text]);
  return `${table(['TIME', 'VM', 'WHAT'], rows)}${moreText(next)}`;
}
