import { Option } from 'commander';
import { VmpulseError } from '../model/errors.js';
import { escapeUnsafe } from '../model/plain-text.js';
import type { Cli } from './cli.js';
import { type FormatOptions, plain, show } from './format.js';

/** What every verb that changes something takes. */
export interface ChangeOptions extends FormatOptions {
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

/** What would be done, where nothing was: json-schemas.ts has it as previewJson. */
interface Preview {
  readonly dryRun: boolean;
  readonly needsYes: boolean;
  /** For example `release default/web`. */
  readonly would: readonly string[];
}

/** Whether to go on; with --dry-run it tells what would be done, and that is all. */
export async function goesOn(
  cli: Cli,
  options: ChangeOptions,
  what: string | readonly string[],
): Promise<boolean> {
  if (!options.dryRun) return true;
  const preview = { dryRun: true, needsYes: false, would: [what].flat() };
  await show(
    cli,
    options,
    plain<Preview>(preview),
    (shown) => `${wouldText(shown)}nothing done (--dry-run)\n`,
  );
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

/** Whether nothing is to be done without --yes. */
export function asksFirst(
  { yes }: ConfirmOptions,
  { vms, open, always }: Pick<Meant, 'vms' | 'open' | 'always'>,
): boolean {
  return yes !== true && vms.length > 0 && (always === true || (open && vms.length > 1));
}

/**
 * Lists what would be done and throws ERR_VMPULSE_UNCONFIRMED (exit status 3), where that is more than a person may have
 * meant: more than one VM, chosen by something open.
 */
export async function requireYes(
  cli: Cli,
  options: ConfirmOptions,
  { verb, vms, open, always = false }: Meant,
): Promise<void> {
  if (!asksFirst(options, { vms, open, always })) return;
  const preview = { dryRun: false, needsYes: true, would: vms.map((vm) => `${verb} ${vm}`) };
  await show(cli, options, plain<Preview>(preview), wouldText);
  throw new VmpulseError(
    'ERR_VMPULSE_UNCONFIRMED',
    `nothing was done: that would meet ${vms.length === 1 ? '1 VM' : `${vms.length} VMs`}; add --yes if that is meant`,
  );
}

function wouldText({ would }: Preview): string {
  return would.map((each) => `would ${escapeUnsafe(each)}\n`).join('');
}
