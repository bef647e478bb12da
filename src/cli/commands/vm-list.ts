import type { Command } from 'commander';
import type { VmAnswer } from '../../daemon/answers/status.js';
import { plainText } from '../../model/plain-text.js';
import { type Cli, paintOf, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import {
  healthOption,
  type Selection,
  selectVms,
  tagOption,
  tellIfNone,
  type VmBoth,
  vmsArgument,
} from '../selectors.js';
import { type Paint, paintState } from '../text/paint.js';
import { table } from '../text/table.js';

/** `vmpulse vm list`. */
export function addList(vm: Command, cli: Cli): void {
  vm.command('list')
    .description('Lists the VMs that are watched, or those that names, labels and health choose.')
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm list --health-status unhealthy', 'those in trouble'],
        ["vmpulse vm list 'web-*' --tag tier=front", 'by name and label'],
        ["vmpulse vm list --tag web --format json | jq -r '.vms[].ip'", 'their addresses'],
      ),
    )
    .action((names: readonly string[], options: Selection & FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const vms = await selectVms(client, names, options);
        tellIfNone(cli, vms);
        const answer = { data: { vms: vms.map(listed) }, shown: vms.map(({ shown }) => shown) };
        await show(cli, options, answer, (chosen) => listText(chosen, paintOf(cli)));
      }),
    );
}

/** A VM as lists have it: what the daemon says, with its name apart. */
export function listed({ data: vm }: VmBoth): object {
  const [namespace = '', name = ''] = vm.id.split('/');
  return { name, namespace, ip: vm.address, ...vm };
}

function listText(vms: readonly VmAnswer[], paint: Paint): string {
  if (vms.length === 0) return '';
  const rows = vms.map((vm) => [
    vm.id,
    { text: vm.health, paint: (text: string) => paintState(text, paint) },
    vm.lifeState,
    vm.ready ? 'yes' : 'no',
    vm.address ?? '-',
    vm.vmm ? String(vm.vmm.pid) : '-',
    plainText(labelsText(vm.labels), 100) || '-',
  ]);
  return table(['VM', 'HEALTH', 'STATE', 'READY', 'ADDRESS', 'VMM', 'LABELS'], rows);
}

export function labelsText(labels: VmAnswer['labels']): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}
