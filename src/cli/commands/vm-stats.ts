import type { Command } from 'commander';
import { z } from 'zod';
import { statsAnswer } from '../../daemon/answers/guests.js';
import { type Cli, json, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { statsText } from '../text/stats-text.js';

/** `vmpulse vm stats`. */
export function addStats(vm: Command, cli: Cli): void {
  vm.command('stats')
    .description('Shows what the guest has used up: processors, memory, disks, by its own account.')
    .argument('<vm>', 'name or namespace/name')
    .option('--json', 'print one line of JSON, as the API gives it')
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm stats web-1', 'for people'],
        ["vmpulse vm stats web-1 --json | jq '{cpu_usage, memory_usage, disk_usage}'", 'for programs'],
      ),
    )
    .action((name: string, options: { readonly json?: true }, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/stats`;
        if (options.json) cli.stdout.write(json(await client.get(path, z.unknown())));
        else cli.stdout.write(statsText(await client.get(path, statsAnswer)));
      }),
    );
}
