import type { Command } from 'commander';
import { applyAnswer } from '../../daemon/answers/lifecycle.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, withDaemon } from '../cli.js';
import { discoverHere, only } from '../discover-here.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';
import { ownerText } from '../text/discover-text.js';

/** `vmpulse vm adopt`. */
export function addAdopt(vm: Command, cli: Cli): void {
  vm.command('adopt')
    .description(
      'Has the daemon keep the documents of a VM that vmpulse discover finds, so that it is watched from now on, still without recovery. Refused for VMs that libvirt, Proxmox, a container or a unit runs. Must be run on the host of the daemon.',
    )
    .argument('<vm>', 'name that vmpulse discover shows')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse vm adopt web-1', 'watch it, whatever is configured']))
    .action(async (name: string, options: ChangeOptions, command) => {
      const found = only(name, await discoverHere()).vms[0];
      const { isForeign } = await import('../../discovery/index.js');
      if (found === undefined) throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'found, and not there');
      const { owner } = found.vm;
      if (isForeign(owner) || owner.kind === 'vmpulse') {
        const why = `VM default/${found.name} belongs to ${ownerText(owner)}`;
        const remedy = isForeign(owner)
          ? 'it is only observed; see vmpulse discover --format documents'
          : 'it has its documents already';
        throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `${why}: ${remedy}`);
      }
      if (found.documents === undefined) {
        const why = plainText(found.notes.join('; '), 1_000);
        throw new VmpulseError(
          'ERR_VMPULSE_UNSUPPORTED',
          `VM default/${found.name} cannot be watched: ${why}`,
        );
      }
      if (!(await goesOn(cli, options, `adopt default/${found.name}`))) return;
      const files = [{ path: `found/${found.name}.yaml`, text: found.documents }];
      await withDaemon(command, cli, async (client) => {
        const body = { files, prune: false, dryRun: false, author: author() };
        const answer = await client.post('/v1/apply', body, asCame(applyAnswer));
        const next = `vmpulse status default/${found.name}`;
        const text = `default/${found.name} is adopted, observe only; ${next} shows it\n`;
        await show(cli, options, answer, () => text);
      });
    });
}
