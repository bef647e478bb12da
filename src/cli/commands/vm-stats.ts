import type { Command } from 'commander';
import { statsAnswer } from '../../daemon/answers/guests.js';
import { type Cli, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { withProgress } from '../progress.js';
import { statsText } from '../text/stats-text.js';

/** `vmpulse vm stats`. */
export function addStats(vm: Command, cli: Cli): void {
  vm.command('stats')
    .description('Shows what the guest has used up: processors, memory, disks, by its own account.')
    .argument('<vm>', 'name or namespace/name')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm stats web-1', 'for people'],
        ["vmpulse vm stats web-1 --json | jq '{cpu_usage, memory_usage, disk_usage}'", 'for programs'],
      ),
    )
    .action((name: string, options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/stats`;
        const ask = () => client.get(path, asCame(statsAnswer));
        await show(cli, options, await withProgress(cli, 'asking the guest', 1, ask), statsText);
      }),
    );
}
