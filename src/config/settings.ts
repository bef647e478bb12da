import type { VmSpec } from '../model/vm.js';
import { daemonDocument } from './daemon-document.js';
import type { LoadedConfig } from './load-config.js';
import { leavesOf } from './mapping.js';
import { isAtOrBelow, type Override, overrideOrigin } from './overrides/override.js';
import { recoveryDocument } from './recovery-document.js';
import { redactAt } from './redact.js';
import { BY_DEFAULT, saidOfVm } from './written-vm.js';

/** A value that holds, as it is written in the documents, and who said it. */
export interface Setting {
  /** As the documents and `vmpulse config set` have it. */
  readonly path: string;
  /** Plain JSON; secrets are replaced. */
  readonly value: unknown;
  /** `default`, `documents`, `command line`, `file:line:column`, the name of a document, or `override by …`. */
  readonly origin: string;
}

/** Every setting of the daemon that has a value. */
export function daemonSettings({ config, origins }: LoadedConfig): readonly Setting[] {
  return leavesOf(daemonDocument(config))
    .map(([path, value]) => shown(path, value, origins[path] ?? BY_DEFAULT))
    .sort(byPath);
}

/** Every setting of a VM that can be changed while it runs and has a value. */
export function vmSettings(spec: VmSpec, loaded: LoadedConfig): readonly Setting[] {
  const overrides = loaded.overrides.inForce.filter(({ vm }) => vm === spec.id);
  const written = loaded.written.get(spec.id);
  const recovery = leavesOf({ recovery: recoveryDocument(spec.recovery) }).map(([path, value]) => ({
    path,
    value,
    origin: recoveryOrigin(path.slice('recovery.'.length), spec.recoveryOrigins ?? {}),
  }));
  return [...(written === undefined ? [] : saidOfVm(spec, written, loaded.origins)), ...recovery]
    .map(({ path, value, origin }) => shown(path, value, overriddenBy(path, overrides) ?? origin))
    .sort(byPath);
}

/** As JSON carries it: what is undefined is left out. */
function shown(path: string, value: unknown, origin: string): Setting {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  return { path, value: redactAt(path, plain), origin };
}

/** Who set the value or a part of it; also by the name that it has in seconds. */
function overriddenBy(path: string, overrides: readonly Override[]): string | undefined {
  const names = [path, path.replace(/Ms$/, 'Seconds')];
  const by = overrides.findLast((each) =>
    names.some((name) => isAtOrBelow(name, each.path) || isAtOrBelow(each.path, name)),
  );
  return by && overrideOrigin(by);
}

function recoveryOrigin(path: string, origins: Readonly<Record<string, string>>): string {
  return origins[path] ?? origins[`${path}Ms`] ?? BY_DEFAULT;
}

function byPath(a: Setting, b: Setting): number {
  return a.path < b.path ? -1 : 1;
}
