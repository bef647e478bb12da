import { type Command, Option } from 'commander';
import { parseTime, wholeNumber } from './option-parsers.js';

/** Which part of the history is wanted. */
export interface HistoryOptions {
  /** Milliseconds. */
  readonly last?: number;
  readonly from?: string;
  readonly until?: string;
  readonly order: 'newest' | 'oldest';
  readonly limit: number;
  readonly cursor?: string;
}

const MAX_LIMIT = 1_000;

/** The options that everything which asks for history takes. */
export function addHistoryOptions(command: Command, usual: { readonly last?: string } = {}): Command {
  const last = new Option('--last <time>', 'of that time until now, for example 1h or 7d').argParser(
    parseTime,
  );
  return command
    .addOption(usual.last === undefined ? last : last.default(parseTime(usual.last), usual.last))
    .addOption(
      new Option(
        '--from <moment>',
        'from then on: ISO 8601, for example 2026-01-31T08:00:00Z; instead of --last',
      ).conflicts('last'),
    )
    .option('--until <moment>', 'before then, written the same way')
    .addOption(
      new Option('--order <order>', 'which come first').choices(['newest', 'oldest']).default('newest'),
    )
    .addOption(limitOption())
    .addOption(cursorOption());
}

export function limitOption(): Option {
  const option = new Option('--limit <count>', `so many at most, up to ${MAX_LIMIT}`);
  return option.argParser(wholeNumber(1, MAX_LIMIT)).default(100);
}

export function cursorOption(): Option {
  return new Option('--cursor <cursor>', 'the page after that which gave this cursor');
}

/** The same as parameters of a request. */
export function historyQuery(
  { last, from, until, order, limit, cursor }: HistoryOptions,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const since = from ?? (last === undefined ? undefined : String(Date.now() - last));
  const all = { ...more, from: since, until, order, limit: String(limit), cursor };
  const given = Object.entries(all).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  return new URLSearchParams(given).toString();
}

/** The line that tells that there is more, if there is. */
export function moreText(next: string | null): string {
  return next === null ? '' : `there are more; the next page: the same command with --cursor ${next}\n`;
}
