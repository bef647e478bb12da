import { type Command, InvalidArgumentError, Option } from 'commander';
import { type JournalPageAnswer, journalPageAnswer } from '../../daemon/answers/journal.js';
import { JOURNAL_TYPES } from '../../model/journal-query.js';
import { plainText } from '../../model/plain-text.js';
import { REASON_CLASSES } from '../../model/reasons.js';
import { type Cli, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { addHistoryOptions, type HistoryOptions, historyQuery, moreText } from '../history-options.js';
import { table } from '../text/table.js';
import { moment } from '../text/time.js';

interface ListOptions extends HistoryOptions, FormatOptions {
  readonly vm?: string;
  readonly type?: string;
  readonly class?: string;
}

/** `vmpulse journal list`. */
export function addList(journal: Command, cli: Cli): void {
  const list = journal
    .command('list')
    .summary('show entries by VM, type, class and time')
    .description(
      'Shows a page of the journal, newest first: of one VM, of some types, of a class of failures, of a time.',
    )
    .option('--vm <vm>', 'name or namespace/name; the whole id also of a VM that is not watched any more')
    .addOption(listOption('--type', 'of these types', JOURNAL_TYPES))
    .addOption(listOption('--class', 'failures of probes of these classes', REASON_CLASSES));
  addHistoryOptions(list)
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse journal list --vm db --last 1h', 'what happened to one VM'],
        ['vmpulse journal list --class timeout,refused --last 1d', 'which probes could not connect'],
        ['vmpulse journal list --type operator --order oldest --json', 'what persons did, for a program'],
      ),
    )
    .action(({ vm, type, class: failure, ...options }: ListOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const query = historyQuery(options, { vm, type, class: failure });
        const page = await client.get(`/v1/journal/entries?${query}`, asCame(journalPageAnswer));
        await show(cli, options, page, pageText);
      }),
    );
}

/** Takes some of what is known, separated by commas. */
function listOption(name: string, about: string, known: readonly string[]): Option {
  const option = new Option(`${name} <list>`, `${about}, separated by commas`);
  return option.choices(known).argParser(wordsOf(known));
}

function wordsOf(known: readonly string[]): (text: string) => string {
  return (text) => {
    const wrong = text.split(',').find((word) => !known.includes(word));
    if (wrong === undefined) return text;
    throw new InvalidArgumentError(`"${plainText(wrong)}" is none; there are ${known.join(', ')}`);
  };
}

function pageText({ entries, next }: JournalPageAnswer): string {
  if (entries.length === 0) return 'nothing is recorded of that\n';
  const rows = entries.map(({ atMs, vm, type, text }) => [moment(atMs), vm ?? '-', type, text]);
  return `${table(['TIME', 'VM', 'TYPE', 'WHAT'], rows)}${moreText(next)}`;
}
