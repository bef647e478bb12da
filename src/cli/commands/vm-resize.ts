import type { Command } from 'commander';
import { resizeAnswer } from '../../daemon/answers/guests.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';

/** MiB of a unit; two-letter units are those of 1024, as `+2GB` is meant. */
const UNITS: Readonly<Record<string, number>> = { m: 1, mi: 1, mb: 1, g: 1024, gi: 1024, gb: 1024 };

/** `vmpulse vm resize`. */
export function addResize(vm: Command, cli: Cli): void {
  vm.command('resize')
    .description(
      'Gives a running VM more memory, where its hypervisor can: QEMU, up to maxMemory. The next start has what the documents say.',
    )
    .argument('<vm>', 'name or namespace/name')
    .requiredOption('--memory <amount>', 'what it is to have, or with + how much more: 4GB, +512MB')
    .addHelpText('after', examples(['vmpulse vm resize web-1 --memory +2GB', 'two GiB more, at once']))
    .action((name: string, options: { readonly memory: string }, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/resize`;
        const body = { ...readAmount(options.memory), author: author() };
        const { vm: id, memoryMiB } = await client.post(path, body, resizeAnswer);
        cli.stdout.write(`${id} has ${memoryMiB} MiB\n`);
      }),
    );
}

function readAmount(text: string): { readonly memoryMiB: number; readonly relative: boolean } {
  const [, sign = '', count = '', unit = ''] = /^(\+?)(\d{1,7})([a-z]{1,2})$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (factor === undefined || Number(count) === 0) {
    const message = `--memory ${plainText(text)} is no amount of memory; write one such as 4GB or +512MB`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', message);
  }
  return { memoryMiB: Number(count) * factor, relative: sign === '+' };
}
