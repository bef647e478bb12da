import { journalAnswer } from '../../daemon/answers/journal.js';
import { type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { addList } from './journal-list.js';

/** `vmpulse journal list` and `vmpulse journal export`. */
export const journalCommand: CliCommand = {
  register(program, cli) {
    const journal = program
      .command('journal')
      .summary('what happened and why, as the daemon has recorded it')
      .addHelpText(
        'after',
        examples(
          ['vmpulse journal list --vm db --last 1h', 'what happened to one VM'],
          ['vmpulse journal export --last 7d > week.jsonl', 'the last week'],
        ),
      );
    addList(journal, cli);
    journal
      .command('export')
      .summary('print the journal as JSON lines')
      .description(
        'Prints every entry of the journal, oldest first, one line of JSON each; vmpulse simulate --record replays it.',
      )
      .option('--last <time>', 'only entries of that time, for example 7d', parseTime)
      .addHelpText(
        'after',
        examples(
          ['vmpulse journal export --last 7d > week.jsonl', 'the last week'],
          ['vmpulse journal export | jq "select(.vm == \\"default/db\\")"', 'what happened to one VM'],
        ),
      )
      .action(({ last }: { readonly last?: number }, command) => {
        const fromMs = last === undefined ? Number.NEGATIVE_INFINITY : Date.now() - last;
        return withDaemon(command, cli, async (client) => {
          for (let afterSeq = 0; ; ) {
            const { data } = await client.get(`/v1/journal?after=${afterSeq}`, asCame(journalAnswer));
            for (const entry of data.entries) if (entry.atMs >= fromMs) cli.stdout.write(json(entry));
            const newest = data.entries.at(-1);
            if (newest === undefined) return;
            afterSeq = newest.seq;
          }
        });
      });
  },
};
