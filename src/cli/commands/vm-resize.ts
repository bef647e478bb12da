import type { Command } from 'commander';
import { resizeAnswer } from '../../daemon/answers/guests.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';
import { withProgress } from '../progress.js';
import { readMemory } from '../read-memory.js';
import { vmId } from '../selectors.js';

/** `vmpulse vm resize`. */
export function addResize(vm: Command, cli: Cli): void {
  vm.command('resize')
    .description(
      'Gives a running VM more memory, where its hypervisor can: QEMU, up to maxMemory. The next start has what the documents say.',
    )
    .argument('<vm>', 'name or namespace/name')
    .requiredOption('--memory <amount>', 'what it is to have, or with + how much more: 4GB, +512MB')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse vm resize web-1 --memory +2GB', 'two GiB more, at once']))
    .action((name: string, options: ChangeOptions & { readonly memory: string }, command) =>
      withDaemon(command, cli, async (client) => {
        const amount = readMemory(options.memory);
        const what = `resize ${await vmId(client, name)} ${amount.relative ? 'by' : 'to'} ${amount.memoryMiB} MiB`;
        if (!(await goesOn(cli, options, what))) return;
        const path = `${vmPath('/v1/vms', name)}/resize`;
        const body = { ...amount, author: author() };
        const resize = () => client.post(path, body, asCame(resizeAnswer));
        const answer = await withProgress(cli, 'resizing', 1, resize);
        await show(cli, options, answer, ({ vm: id, memoryMiB }) => `${id} has ${memoryMiB} MiB\n`);
      }),
    );
}
