import { Option } from 'commander';
import { VmpulseError } from '../model/errors.js';
import type { Cli } from './cli.js';

/** What every verb that changes something takes. */
export interface ChangeOptions {
  readonly dryRun?: true;
}

export interface ConfirmOptions extends ChangeOptions {
  readonly yes?: true;
}

export function dryRunOption(): Option {
  return new Option('--dry-run', 'only tell what would be done');
}

/** For verbs that end or disturb what runs in a VM. */
export function yesOption(): Option {
  return new Option('--yes', 'do it, where a glob, label or health chose several');
}

/** Whether to go on; with --dry-run it tells what would be done, and that is all. `what`: for example `release web`. */
export function goesOn(cli: Cli, { dryRun }: ChangeOptions, what: string | readonly string[]): boolean {
  if (!dryRun) return true;
  for (const each of [what].flat()) cli.stdout.write(`would ${each}\n`);
  cli.stdout.write('nothing done (--dry-run)\n');
  return false;
}

/** What is to be confirmed. */
interface Meant {
  readonly verb: string;
  readonly vms: readonly string[];
  /** Chosen by something open: a glob, a label, a health. */
  readonly open: boolean;
  /** Even one VM by its name is to be confirmed. */
  readonly always?: boolean;
}

/**
 * Lists what would be done and throws ERR_VMPULSE_UNCONFIRMED (exit status 3), where that is more than a person may have
 * meant: more than one VM, chosen by something open.
 */
export function requireYes(cli: Cli, { yes }: ConfirmOptions, { verb, vms, open, always }: Meant): void {
  if (yes || vms.length === 0) return;
  if (!always && !(open && vms.length > 1)) return;
  for (const vm of vms) cli.stdout.write(`would ${verb} ${vm}\n`);
  throw new VmpulseError(
    'ERR_VMPULSE_UNCONFIRMED',
    `nothing was done: ${verb} would meet ${vms.length === 1 ? '1 VM' : `${vms.length} VMs`}; add --yes if that is meant`,
  );
}
