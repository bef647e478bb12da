import type { Command } from 'commander';
import { channelsAnswer, notifyTestAnswer } from '../../daemon/answers/notifications.js';
import { VmpulseError } from '../../model/errors.js';
import { NOTIFY_LEVELS } from '../../model/notification.js';
import { plainText } from '../../model/plain-text.js';
import { author, type Cli, type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { channelsText, notifyTestText } from '../text/notify-text.js';

const TEST_DEADLINE_MS = 30_000;

interface AddOptions {
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
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse notify list --json', 'for a program']))
      .action((options: { readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.get('/v1/notifications', channelsAnswer);
          cli.stdout.write(options.json ? json(answer) : channelsText(answer));
        }),
      );
    registerAdd(notify, cli);
    notify
      .command('remove')
      .description('Removes a channel that was added, with what waits for it.')
      .argument('<name>', 'of the channel, which list shows')
      .addHelpText('after', examples(['vmpulse notify remove web-mail', 'one that was added']))
      .action((name: string, _options, command) =>
        withDaemon(command, cli, async (client) => {
          await client.post('/v1/notifications/remove', { name, author: author() }, channelsAnswer);
          cli.stdout.write(`removed ${plainText(name)}\n`);
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
    .option('--email <address>', 'a mail address; may be repeated', collect)
    .option('--slack <url>', 'the URL of an incoming webhook of Slack; kept in a file and never shown')
    .option('--webhook <url>', 'a URL that takes JSON')
    .option('--level <level>', `${Object.keys(NOTIFY_LEVELS).join(', ')}; default warnings`, parseLevel)
    .option('--vm <glob>', 'only of VMs whose id fits, such as default/web-*; may be repeated', collect)
    .addHelpText(
      'after',
      examples([
        'vmpulse notify add web-mail --email ops@example.com --vm default/web-1',
        'mail about one VM',
      ]),
    )
    .action((name: string, options: AddOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const { vm, ...rest } = options;
        const body = { name, ...rest, vms: vm, author: author() };
        await client.post('/v1/notifications/add', body, channelsAnswer);
        cli.stdout.write(`added ${plainText(name)}; try it with vmpulse notify test ${plainText(name)}\n`);
      }),
    );
}

function registerTest(notify: Command, cli: Cli): void {
  notify
    .command('test')
    .description('Sends a test by one channel, or by all. Status 1 when one fails.')
    .argument('[channel]', 'its name')
    .option('--json', 'print one line of JSON, as the API gives it')
    .addHelpText('after', examples(['vmpulse notify test ops-mail', 'one channel']))
    .action((channel: string | undefined, options: { readonly json?: true }, command) =>
      withDaemon(command, cli, async (client) => {
        const body = { channel, author: author() };
        const answer = await client.post('/v1/notifications/test', body, notifyTestAnswer, TEST_DEADLINE_MS);
        cli.stdout.write(options.json ? json(answer) : notifyTestText(answer));
        if (answer.tests.some(({ result }) => result !== 'sent')) cli.setExitCode(EXIT.failed);
      }),
    );
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function parseLevel(text: string): string {
  if (Object.hasOwn(NOTIFY_LEVELS, text)) return text;
  const message = `"${plainText(text)}" is no level; write one of ${Object.keys(NOTIFY_LEVELS).join(', ')}`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', message);
}
