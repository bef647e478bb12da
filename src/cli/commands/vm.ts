import { vmAnswer } from '../answers.js';
import { author, type CliCommand, paintOf, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { paintState } from '../text/paint.js';

/** `vmpulse vm release`. */
export const vmCommand: CliCommand = {
  register(program, cli) {
    const vm = program
      .command('vm')
      .summary('commands about one VM')
      .description('Commands about one VM.')
      .addHelpText('after', examples(['vmpulse vm release default/web-1', 'out of quarantine']));
    vm.command('release')
      .description(
        'Lets a VM out of quarantine: recovery may act on it again. Only the budget of recoveries in a row starts over, not that of 24 hours. Also takes back that somebody outside stopped the VM.',
      )
      .argument('<vm>', 'name or namespace/name')
      .addHelpText('after', examples(['vmpulse vm release default/web-1', 'after its cause was put right']))
      .action((name: string, _options: object, command) =>
        withDaemon(command, cli, async (client) => {
          const path = `${vmPath('/v1/vms', name)}/release`;
          const { id, health } = await client.post(path, { author: author() }, vmAnswer);
          cli.stdout.write(`${id} released; it is ${paintState(health, paintOf(cli))}\n`);
        }),
      );
  },
};
