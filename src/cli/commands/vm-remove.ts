import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { VmpulseError } from '../../model/errors.js';
import { type Cli, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { runPlanAndTell } from '../run-plan.js';

interface RemoveOptions {
  readonly force?: true;
  readonly deleteDisks?: true;
  readonly yes?: true;
  readonly reason?: string;
}

/** `vmpulse vm delete` and `vmpulse vm recreate`: plans of one action. */
export function addVmRemove(vm: Command, cli: Cli): void {
  add(vm, cli, {
    name: 'delete',
    operation: 'DELETE',
    description:
      'Stops a VM and removes its documents and folders. Its disks stay unless --delete-disks is given. A VM that persons keep in a folder of the configuration is to be removed there.',
    example: ['vmpulse vm delete web --force --yes', 'it hangs: SIGKILL, then everything but its disks goes'],
  });
  add(vm, cli, {
    name: 'recreate',
    operation: 'RECREATE',
    description:
      'Stops a VM, removes what its VMM left, and starts it anew with the same UUID, MAC and disks. With --delete-disks its disks are removed first, and it starts only if none of them is needed.',
    example: ['vmpulse vm recreate web --yes', 'the same VM with a new VMM'],
  });
}

function add(
  vm: Command,
  cli: Cli,
  {
    name,
    operation,
    description,
    example,
  }: {
    readonly name: string;
    readonly operation: string;
    readonly description: string;
    readonly example: readonly [string, string];
  },
): void {
  vm.command(name)
    .description(description)
    .argument('<vm>', 'name, namespace/name or UUID')
    .option('--force', 'SIGKILL at once, instead of asking the guest first')
    .option('--delete-disks', 'also remove the files of its writable disks')
    .option('--reason <text>', 'why; kept in the journal')
    .option('--yes', 'do it; must be given')
    .addHelpText('after', examples([example[0], example[1]]))
    .action((id: string, options: RemoveOptions, command) => {
      if (!options.yes)
        throw new VmpulseError('ERR_VMPULSE_USAGE', `${name} ends the VM; give --yes if that is meant`);
      return withDaemon(command, cli, (client) =>
        runPlanAndTell(client, cli, {
          idempotency_key: `${name}-${randomUUID()}`,
          reason: options.reason ?? `vmpulse vm ${name}`,
          actions: [
            {
              operation_id: name,
              operation,
              vm_id: id,
              force: options.force === true,
              delete_disks: options.deleteDisks === true,
            },
          ],
        }),
      );
    });
}
