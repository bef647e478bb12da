import { type Command, Option } from 'commander';
import { channelsAnswer, notifyTestAnswer } from '../../daemon/answers/notifications.js';
import { NOTIFY_LEVELS } from '../../model/notification.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { oneMore } from '../option-parsers.js';
import { withProgress } from '../progress.js';
import { channelsText, notifyTestText } from '../text/notify-text.js';

const TEST_DEADLINE_MS = 30_000;

interface AddOptions extends ChangeOptions {
  readonly email?: readonly string[];
  readonly slack?: string;
  readonly webhook?: string;
  readonly level?: string;
  readonly vm?: readonly string[];
}

/** `vmpulse notify list|add|remove|test`. */
export const notifyCommand: CliCommand = {
  register(program, cli) {
    const notify = program
      .command('notify')
      .summary('who is told of what happens')
      .description(
        'Channels by which people are told of failures, recoveries and what holds them: mail, Slack, webhooks, programs.',
      )
      .addHelpText('after', examples(['vmpulse notify test', 'does every channel work?']));
    notify
      .command('list')
      .description('Lists the channels, what waits in their spools, and what went wrong last.')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse notify list --json', 'for a program']))
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          await show(
            cli,
            options,
            await client.get('/v1/notifications', asCame(channelsAnswer)),
            channelsText,
          );
        }),
      );
    registerAdd(notify, cli);
    notify
      .command('remove')
      .description('Removes a channel that was added, with what waits for it.')
      .argument('<name>', 'of the channel, which list shows')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse notify remove web-mail', 'one that was added']))
      .action((name: string, options: ChangeOptions, command) =>
        withDaemon(command, cli, async (client) => {
          if (!(await goesOn(cli, options, `remove the channel ${name}`))) return;
          const body = { name, author: author() };
          const answer = await client.post('/v1/notifications/remove', body, asCame(channelsAnswer));
          await show(cli, options, answer, () => `removed ${plainText(name)}\n`);
        }),
      );
    registerTest(notify, cli);
  },
};

function registerAdd(notify: Command, cli: Cli): void {
  notify
    .command('add')
    .description(
      'Adds a channel to the running daemon, which keeps it. By which server mail is sent, its configuration says.',
    )
    .argument('<name>', 'a name for it')
    .option('--email <address>', 'a mail address; may be repeated', oneMore)
    .option('--slack <url>', 'the URL of an incoming webhook of Slack; kept in a file and never shown')
    .option('--webhook <url>', 'a URL that takes JSON')
    .addOption(
      new Option('--level <level>', 'the mildest that it is told; default warnings').choices(
        Object.keys(NOTIFY_LEVELS),
      ),
    )
    .option('--vm <glob>', 'only of VMs whose id fits, such as default/web-*; may be repeated', oneMore)
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'vmpulse notify add web-mail --email ops@example.com --vm default/web-1',
        'mail about one VM',
      ]),
    )
    .action((name: string, options: AddOptions, command) =>
      withDaemon(command, cli, async (client) => {
        if (!(await goesOn(cli, options, `add the channel ${name}`))) return;
        const { email, slack, webhook, level, vm: vms } = options;
        const body = { name, email, slack, webhook, level, vms, author: author() };
        const answer = await client.post('/v1/notifications/add', body, asCame(channelsAnswer));
        const named = plainText(name);
        await show(cli, options, answer, () => `added ${named}; try it with vmpulse notify test ${named}\n`);
      }),
    );
}

function registerTest(notify: Command, cli: Cli): void {
  notify
    .command('test')
    .description('Sends a test by one channel, or by all. Status 1 when one fails.')
    .argument('[channel]', 'its name')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse notify test ops-mail', 'one channel']))
    .action((channel: string | undefined, options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const body = { channel, author: author() };
        const schema = asCame(notifyTestAnswer);
        const test = () => client.post('/v1/notifications/test', body, schema, TEST_DEADLINE_MS);
        const answer = await withProgress(cli, 'sending', 1, test);
        await show(cli, options, answer, notifyTestText);
        if (answer.shown.tests.some(({ result }) => result !== 'sent')) cli.setExitCode(EXIT.failed);
      }),
    );
}
