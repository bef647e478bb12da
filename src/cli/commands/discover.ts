import type { Discovery } from '../../discovery/index.js';
import { plainText } from '../../model/plain-text.js';
import { type Cli, type CliCommand, paintOf, writeRaw } from '../cli.js';
import { discoverHere, only } from '../discover-here.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { withProgress } from '../progress.js';
import { discoverText } from '../text/discover-text.js';

/** `vmpulse discover [VM]`. */
export const discoverCommand: CliCommand = {
  register(program, cli) {
    program
      .command('discover')
      .summary('find the VMs that run on this host')
      .description(
        'Finds processes of QEMU, Cloud Hypervisor and Firecracker and the domains of libvirt, whoever started them, and tells what their command lines say, or (--format documents) prints documents that watch them, ready to be applied. Works without the daemon, changes nothing, and opens none of their sockets.',
      )
      .argument('[vm]', 'only this one, by the name that it has here')
      .addOption(formatOption(['documents']))
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse discover', 'every VM, with who runs it'],
          ['vmpulse discover web-1 --format documents > web-1.yaml', 'the documents that watch it'],
          [`vmpulse discover --json | jq '.vms[].disks'`, 'for a program'],
        ),
      )
      .action(async (vm: string | undefined, options: FormatOptions<'documents'>) => {
        const found = await withProgress(cli, 'looking for VMs', 1, () => discoverHere());
        await tell(cli, vm === undefined ? found : only(vm, found), options);
      });
  },
};

async function tell(
  cli: Cli,
  { vms, warnings }: Discovery,
  { format }: FormatOptions<'documents'>,
): Promise<void> {
  if (format === 'json' || format === 'yaml') {
    const answer = vms.map(({ name, vm, address = null, notes }) => ({
      id: `default/${name}`,
      ...vm,
      address,
      notes,
    }));
    await show(cli, { format }, plain({ vms: answer, warnings }), () => '');
    return;
  }
  const notes = vms.flatMap((one) => one.notes.map((note) => `default/${one.name}: ${note}`));
  for (const warning of [...warnings, ...notes])
    cli.stderr.write(`vmpulse: warning: ${plainText(warning, 1_000)}\n`);
  if (format === 'documents') writeRaw(cli, vms.flatMap(({ documents }) => documents ?? []).join('---\n'));
  else cli.stdout.write(discoverText(vms, paintOf(cli)));
}
