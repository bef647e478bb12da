import { diffConfig, type LoadedConfig } from '../config/index.js';
import type { VmId } from '../model/vm.js';
import type { ReloadView } from '../runtime/views.js';

/** What a reload changed, or would. */
export interface ReloadedView {
  readonly dryRun: boolean;
  readonly added: readonly VmId[];
  /** No longer watched; they run on. */
  readonly removed: readonly VmId[];
  readonly changed: readonly {
    readonly id: VmId;
    readonly restartRequired: boolean;
    /** Changed parts; where `probes` is among them its probes are registered anew. */
    readonly what: readonly string[];
  }[];
  /** Settings of the daemon. */
  readonly settings: {
    readonly changed: readonly string[];
    /** Those that hold only after a restart of the daemon, whenever since its start they changed. */
    readonly restartRequired: readonly string[];
  };
  readonly warnings: readonly string[];
}

export interface Reloading {
  /** What the daemon was started with. */
  readonly started: LoadedConfig;
  /** What holds. */
  readonly before: LoadedConfig;
  readonly next: LoadedConfig;
  /** Settings that are not in `next`, as they are where the daemon found them when it began, and the file has others. */
  readonly stays: readonly string[];
}

/** Tells what a reload does; `applied` is what it has done to the VMs, left out: nothing yet. */
export function reloadView(
  { started, before, next, stays }: Reloading,
  applied?: Omit<ReloadView, 'warnings'>,
): ReloadedView {
  const diff = diffConfig(before, next);
  const restartRequired = [...diffConfig(started, next).daemon.restartRequired, ...stays];
  const what = new Map(diff.changed.map((vm) => [vm.id, vm.what]));
  const { added, removed, changed } = applied ?? diff;
  const later = restartRequired.map((name) => `${name} changed: it holds after a restart of the daemon`);
  return {
    dryRun: applied === undefined,
    added,
    removed,
    changed: changed.map((vm) => ({
      ...{ id: vm.id, restartRequired: vm.restartRequired },
      what: what.get(vm.id) ?? [],
    })),
    settings: { changed: diff.daemon.changed, restartRequired },
    warnings: [...next.warnings, ...later],
  };
}
