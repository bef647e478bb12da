import { Option } from 'commander';
import type { Discovery } from '../../discovery/index.js';
import { plainText } from '../../model/plain-text.js';
import { type Cli, type CliCommand, json, paintOf } from '../cli.js';
import { discoverHere, only } from '../discover-here.js';
import { examples } from '../examples.js';
import { discoverText } from '../text/discover-text.js';

interface DiscoverOptions {
  readonly format: 'table' | 'documents';
  readonly json?: true;
}

/** `vmpulse discover [VM]`. */
export const discoverCommand: CliCommand = {
  register(program, cli) {
    program
      .command('discover')
      .summary('find the VMs that run on this host')
      .description(
        'Finds processes of QEMU, Cloud Hypervisor and Firecracker and the domains of libvirt, whoever started them, and tells what their command lines say. Works without the daemon, changes nothing, and opens none of their sockets.',
      )
      .argument('[vm]', 'only this one, by the name that it has here')
      .addOption(
        new Option('--format <format>', 'documents: those that watch the VMs, ready to be applied')
          .choices(['table', 'documents'])
          .default('table'),
      )
      .option('--json', 'print one line of JSON')
      .addHelpText(
        'after',
        examples(
          ['vmpulse discover', 'every VM, with who runs it'],
          ['vmpulse discover web-1 --format documents > web-1.yaml', 'the documents that watch it'],
          [`vmpulse discover --json | jq '.vms[].disks'`, 'for a program'],
        ),
      )
      .action(async (vm: string | undefined, options: DiscoverOptions) => {
        const found = await discoverHere();
        show(cli, vm === undefined ? found : only(vm, found), options);
      });
  },
};

function show(cli: Cli, { vms, warnings }: Discovery, { format, json: asJson }: DiscoverOptions): void {
  if (asJson) {
    const answer = vms.map(({ name, vm, address = null, notes }) => ({
      id: `default/${name}`,
      ...vm,
      address,
      notes,
    }));
    cli.stdout.write(json({ vms: answer, warnings }));
    return;
  }
  const notes = vms.flatMap((one) => one.notes.map((note) => `default/${one.name}: ${note}`));
  for (const warning of [...warnings, ...notes])
    cli.stderr.write(`vmpulse: warning: ${plainText(warning, 1_000)}\n`);
  if (format === 'documents') cli.stdout.write(vms.flatMap(({ documents }) => documents ?? []).join('---\n'));
  else cli.stdout.write(discoverText(vms, paintOf(cli)));
}
