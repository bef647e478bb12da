import { Option } from 'commander';
import { newTokenAnswer, type TokensAnswer, tokensAnswer } from '../../daemon/answers/tokens.js';
import { plainText } from '../../model/plain-text.js';
import { SCOPES } from '../../model/scope.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { table } from '../text/table.js';

interface CreateOptions extends ChangeOptions {
  readonly scope: string;
  readonly expires?: number;
}

/** `vmpulse token …`. */
export const tokenCommand: CliCommand = {
  register(program, cli) {
    const token = program
      .command('token')
      .summary('tokens of clients that come by TCP')
      .description('Tokens of clients that use the API by TCP (api.listen).')
      .addHelpText('after', examples(['vmpulse token list', 'whom the API takes']));
    token
      .command('create')
      .description('Makes a token and prints it: only here and only once.')
      .argument('<name>', 'what it is for; the journal names it so')
      .addOption(new Option('--scope <scope>', 'what it allows').choices(SCOPES).makeOptionMandatory())
      .option('--expires <time>', 'after that it does not count any more, for example 30d', parseTime)
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(['vmpulse token create grafana --scope read --expires 90d > token', 'for a dashboard']),
      )
      .action((name: string, { scope, expires, ...options }: CreateOptions, command) =>
        withDaemon(command, cli, async (client) => {
          if (!(await goesOn(cli, options, `make the token ${name} with the scope ${scope}`))) return;
          const body = { name, scope, forMs: expires, author: author() };
          const made = await client.post('/v1/tokens/create', body, asCame(newTokenAnswer));
          await show(cli, options, made, (shown) => `${shown.token}\n`);
        }),
      );
    token
      .command('list')
      .description('Lists the tokens, without themselves.')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse token list', 'whom the API takes']))
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          await show(cli, options, await client.get('/v1/tokens', asCame(tokensAnswer)), tokensText);
        }),
      );
    token
      .command('revoke')
      .description('Takes a token back: it does not count from now on.')
      .argument('<name>', 'as it was made')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse token revoke grafana', 'at once']))
      .action((name: string, options: ChangeOptions, command) =>
        withDaemon(command, cli, async (client) => {
          if (!(await goesOn(cli, options, `take back the token ${name}`))) return;
          const body = { name, author: author() };
          const answer = await client.post('/v1/tokens/revoke', body, asCame(tokensAnswer));
          await show(cli, options, answer, () => `the token ${plainText(name)} does not count any more\n`);
        }),
      );
  },
};

function tokensText({ tokens }: TokensAnswer): string {
  const rows = tokens.map(({ name, scope, expiresAtMs, author: by }) => {
    const end = expiresAtMs === null ? 'never' : new Date(expiresAtMs).toISOString();
    return [name, scope, end, by];
  });
  return rows.length === 0 ? 'there are no tokens\n' : table(['NAME', 'SCOPE', 'EXPIRES', 'MADE BY'], rows);
}
