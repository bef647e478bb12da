import type { VmAnswer } from '../daemon/answers/status.js';
import { errorMessage, isVmpulseError } from '../model/errors.js';
import { asksFirst, type ConfirmOptions, goesOn, requireYes } from './changes.js';
import { type Cli, paintOf, printError } from './cli.js';
import type { DaemonClient } from './client.js';
import { EXIT } from './exit-codes.js';
import { plain, show } from './format.js';
import { inParallel } from './in-parallel.js';
import { withProgress } from './progress.js';
import { chooseVms, isOpen, type Selection, tellIfNone, type VmBoth } from './selectors.js';
import { paintState } from './text/paint.js';

/** VMs at a time; what starts and stops them has limits of its own. */
const AT_ONCE = 4;

export interface EachVmOptions extends Selection, ConfirmOptions {}

/** What is done to every chosen VM. */
export interface EachVm {
  /** Names it: `stop`. */
  readonly verb: string;
  /** Ends or disturbs what runs in the VM: several that were chosen by something open need --yes; `always`: even one. */
  readonly disturbs: boolean | 'always';
  /** Before the question and for --dry-run: throws what keeps it from being done. */
  readonly preview?: (vm: VmAnswer) => Promise<unknown>;
  /** Does it. Failures are thrown. */
  readonly work: (vm: VmAnswer) => Promise<Done>;
}

interface Done {
  /** A line for a person. */
  readonly text: string;
  /** For programs, instead or besides. */
  readonly data?: object;
}

/** It was done, and the health of the VM is now that. */
export function doneTo(cli: Cli, { data, shown }: VmBoth, said: (health: string) => string): Done {
  const { health } = data;
  return { text: said(paintState(shown.health, paintOf(cli))), data: { text: said(health), health } };
}

type Result = { readonly vm: string } & Readonly<Record<string, unknown>>;

/**
 * Does it to the VMs that names, labels and health choose, a few at a time, and tells each as it ends. What fails for one of
 * several is told, and the others go on; the exit status is then 1.
 */
export async function forEachVm(
  cli: Cli,
  client: DaemonClient,
  names: readonly string[],
  options: EachVmOptions,
  { verb, disturbs, preview, work }: EachVm,
): Promise<void> {
  const { format } = options;
  const vms = (await chooseVms(client, names, options)).map(({ shown }) => shown);
  const ids = vms.map(({ id }) => id);
  tellIfNone(cli, vms);
  if (options.dryRun) {
    const would = await inParallel(vms, AT_ONCE, (vm) => wouldDo(cli, verb, vm, preview));
    await goesOn(cli, options, would.flat());
    return;
  }
  const meant = { verb, vms: ids, open: isOpen(names, options), always: disturbs === 'always' };
  if (disturbs && asksFirst(options, meant)) {
    // What would be refused is not asked for.
    const possible = await inParallel(vms, AT_ONCE, async (vm) =>
      (await wouldDo(cli, verb, vm, preview)).length > 0 ? [vm.id] : [],
    );
    await requireYes(cli, options, { ...meant, vms: possible.flat(), always: true });
    return;
  }
  const results = await withProgress(cli, verb, vms.length, (progress) =>
    inParallel(vms, AT_ONCE, async (vm): Promise<Result> => {
      try {
        const { text, data } = await work(vm);
        if (format === 'table') progress.write(`${text}\n`);
        return { vm: vm.id, text, ...data };
      } catch (error) {
        if (vms.length === 1) throw error;
        progress.hide();
        return notDone(cli, vm.id, error);
      } finally {
        progress.step();
      }
    }),
  );
  await show(cli, options, plain({ results }), () => '');
}

/** Tells that it failed for one of several VMs; the status is set. */
export function notDone(cli: Cli, id: string, error: unknown): Result {
  printError(cli, error, false, id);
  cli.setExitCode(EXIT.failed);
  const code = isVmpulseError(error) ? error.code : 'ERR_VMPULSE_INTERNAL';
  return { vm: id, error: { code, message: errorMessage(error) } };
}

/** What would be done, or nothing where it would fail, which is told. */
async function wouldDo(cli: Cli, verb: string, vm: VmAnswer, preview: EachVm['preview']): Promise<string[]> {
  try {
    await preview?.(vm);
    return [`${verb} ${vm.id}`];
  } catch (error) {
    printError(cli, error, false, vm.id);
    cli.setExitCode(EXIT.failed);
    return [];
  }
}
