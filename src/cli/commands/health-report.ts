import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { journalPageAnswer } from '../../daemon/answers/journal.js';
import { hostAnswer } from '../../daemon/answers/status.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import { isReason, REASON_CLASS, REASON_CLASSES, type ReasonClass } from '../../model/reasons.js';
import { historyStarts } from '../cleared-history.js';
import { type Cli, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import {
  type Answer,
  answersOf,
  asCame,
  type FormatOptions,
  formatOption,
  jsonOption,
  show,
} from '../format.js';
import { historyQuery } from '../history-options.js';
import { parseTime } from '../option-parsers.js';
import { pages } from '../pages.js';
import { table } from '../text/table.js';

/** Pages of the journal that a report of a time reads, and what one has. */
const MAX_PAGES = 10;
const PAGE = 1_000;

/** Stable classes of failures, in the words of people. */
const TITLES: Readonly<Record<ReasonClass, string>> = {
  timeout: 'Connection timeout',
  refused: 'Connection refused',
  unreachable: 'Host unreachable',
  tls: 'TLS failed',
  auth: 'Authentication failed',
  'invalid-response': 'Invalid response',
  agent: 'Guest agent failed',
  hypervisor: 'Hypervisor failed',
  gone: 'Process not found',
  stalled: 'Guest stalled',
  threshold: 'Over a threshold',
  inconclusive: 'Could not be told',
};

const GROUPS = ['error', 'vm', 'probe'] as const;

interface Failure {
  readonly vm: string;
  readonly probe: string;
  readonly reason: string;
  readonly class: string;
  readonly atMs: number;
}

interface Report {
  readonly group_by: (typeof GROUPS)[number];
  readonly total: number;
  /** There were more within the time than a report reads: the newest are counted. */
  readonly truncated: boolean;
  readonly groups: readonly {
    readonly name: string;
    readonly title: string;
    readonly count: number;
    readonly vms: readonly string[];
    readonly failures: readonly Failure[];
  }[];
}

interface ReportOptions extends FormatOptions {
  readonly groupBy: (typeof GROUPS)[number];
  readonly period?: number;
}

/** `vmpulse health report`, and `vmpulse vm health-report`. */
export function addReport(parent: Command, cli: Cli, name: string): void {
  const typed = `vmpulse ${parent.name()} ${name}`;
  parent
    .command(name)
    .description('Groups the probes that fail now, or that failed within a time, by error, VM or probe.')
    .addOption(
      new Option('--group-by <what>', 'error: the class of the reason').choices(GROUPS).default('error'),
    )
    .option('--period <time>', 'what turned to failed within that time, instead of what fails now', parseTime)
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        [`${typed} --group-by error`, 'what fails now, by class'],
        [`${typed} --period 1d --group-by vm`, 'which VMs failed most within a day'],
      ),
    )
    .action(({ groupBy, period, ...options }: ReportOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const { data, shown, truncated } =
          period === undefined ? await failingNow(client) : await failedWithin(client, period);
        const answer = {
          data: reportOf(groupBy, data, truncated),
          shown: reportOf(groupBy, shown, truncated),
        };
        await show(cli, options, answer, reportText);
      }),
    );
}

type Failures = Answer<readonly Failure[], readonly Failure[]> & { readonly truncated: boolean };

async function failingNow(client: DaemonClient): Promise<Failures> {
  const { data, shown } = await client.get('/v1/status', asCame(hostAnswer));
  return { data: failing(data), shown: failing(shown), truncated: false };
}

function failing({ vms }: z.input<typeof hostAnswer>): Failure[] {
  return vms.flatMap((vm) =>
    vm.probes.flatMap(({ name, state, reason, sinceMs }) =>
      (state === 'failed' || state === 'blind') && reason !== null
        ? [{ vm: vm.id, probe: name, reason, class: classOf(reason), atMs: sinceMs }]
        : [],
    ),
  );
}

async function failedWithin(client: DaemonClient, last: number): Promise<Failures> {
  const [data, shown]: [Failure[], Failure[]] = [[], []];
  const counts = await historyStarts(client, last);
  const ask = (cursor: string | undefined) => {
    const wanted = { last, order: 'newest', limit: PAGE } as const;
    const page = { ...wanted, ...given({ cursor }) };
    const query = historyQuery(page, { class: REASON_CLASSES.join() });
    return client.get(`/v1/journal/entries?${query}`, asCame(journalPageAnswer));
  };
  let [seen, truncated] = [0, false];
  for await (const answer of pages(ask, ({ shown: { next } }) => next)) {
    for (const entry of answersOf(answer.data.entries, answer.shown.entries)) {
      if (!counts(entry.shown)) continue;
      data.push(...failureIn(entry.data, (text) => text));
      shown.push(...failureIn(entry.shown, (text) => plainText(text, 256)));
    }
    truncated = answer.shown.next !== null;
    if (++seen === MAX_PAGES) break;
  }
  return { data, shown, truncated };
}

type Entry = z.input<typeof journalPageAnswer>['entries'][number];

function failureIn({ vm, atMs, data }: Entry, clean: (text: string) => string): Failure[] {
  const { probe, reason } = data;
  // One of another version may name them otherwise.
  if (typeof probe !== 'string' || typeof reason !== 'string') return [];
  return [{ vm: vm ?? '-', probe: clean(probe), reason: clean(reason), class: classOf(reason), atMs }];
}

function classOf(reason: string): string {
  return isReason(reason) ? REASON_CLASS[reason] : 'inconclusive';
}

function reportOf(by: Report['group_by'], failures: readonly Failure[], truncated: boolean): Report {
  const groups = new Map<string, Failure[]>();
  for (const failure of failures) {
    const name = { error: failure.class, vm: failure.vm, probe: `${failure.vm}/${failure.probe}` }[by];
    const others = groups.get(name);
    if (others === undefined) groups.set(name, [failure]);
    else others.push(failure);
  }
  const sorted = [...groups].sort(([a, of], [b, other]) => other.length - of.length || a.localeCompare(b));
  return {
    group_by: by,
    total: failures.length,
    truncated,
    groups: sorted.map(([name, of]) => ({
      name,
      title: by === 'error' ? (new Map<string, string>(Object.entries(TITLES)).get(name) ?? name) : name,
      count: of.length,
      vms: [...new Set(of.map(({ vm }) => vm))].sort(),
      failures: of,
    })),
  };
}

const VMS_SHOWN = 5;

function reportText({ group_by, total, truncated, groups }: Report): string {
  if (total === 0) return 'no probe fails\n';
  const rows = groups.map(({ name, title, count, vms, failures }) => {
    const reasons = [...new Set(failures.map(({ reason }) => reason))].join(', ');
    const named = vms.slice(0, VMS_SHOWN).join(', ');
    const who = vms.length > VMS_SHOWN ? `${named} and ${vms.length - VMS_SHOWN} more` : named;
    return group_by === 'error' ? [title, String(count), reasons, who] : [name, String(count), reasons];
  });
  const header = {
    error: ['ERROR', 'COUNT', 'REASONS', 'VMS'],
    vm: ['VM', 'COUNT', 'REASONS'],
    probe: ['PROBE', 'COUNT', 'REASONS'],
  };
  const more = truncated ? `only the newest ${total} failures of that time are counted\n` : '';
  return `${table(header[group_by], rows)}${more}`;
}
