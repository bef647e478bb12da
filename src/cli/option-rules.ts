import type { Command } from 'commander';
import { VmpulseError } from '../model/errors.js';

/**
 * An option that does nothing unless one of `others` is given, too, each by its long name: else it is refused with
 * ERR_VMPULSE_USAGE. What it must not be given with, `conflicts` of the option itself says.
 */
export function needs(command: Command, option: string, ...others: readonly string[]): Command {
  const isTyped = (flag: string) => {
    const found = command.options.find(({ long }) => long === flag);
    return found !== undefined && command.getOptionValueSource(found.attributeName()) === 'cli';
  };
  return command.hook('preAction', () => {
    if (!isTyped(option) || others.some(isTyped)) return;
    throw new VmpulseError('ERR_VMPULSE_USAGE', `${option} does nothing without ${others.join(' or ')}`);
  });
}
