import {
  type ConfigSources,
  compileSources,
  diffConfig,
  FIXED_DAEMON_OPTIONS,
  isAtOrBelow,
  type Override,
  type OverrideState,
  redactAt,
  VM_OPTIONS,
} from '../config/index.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { VmId } from '../model/vm.js';
import type { ChangeRequest, ChangeView, SettingChange } from './configuration-api.js';

/** Throws ERR_VMPULSE_ARGUMENT for what cannot be changed while the daemon runs. */
export function refuseFixed({ vm, path }: SettingChange): void {
  if (path === '') return;
  const [first = ''] = path.split('.');
  const refuse = (why: string) => {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${path} cannot be set while the daemon runs: ${why}`);
  };
  if (vm === null && FIXED_DAEMON_OPTIONS.includes(first))
    refuse('it says where the daemon finds things; change the configuration file and restart');
  if (vm !== null && !VM_OPTIONS.includes(first))
    refuse(`of a VM these can: ${VM_OPTIONS.join(', ')}; change its documents and reload`);
}

/** What the next set would change. Throws ERR_VMPULSE_CONFIG for what does not fit. */
export function compare(read: ConfigSources, next: readonly Override[], dryRun: boolean): ChangeView {
  const before = compileSources(read);
  const after = compileSources({ ...read, overrides: next });
  refuseMisfits(before.overrides, after.overrides);
  const { changed, daemon } = diffConfig(before, after);
  const [former, latter] = [new Set(read.overrides), new Set(next)];
  return {
    dryRun,
    set: next.filter((each) => !former.has(each)).map(withoutSecrets),
    withdrawn: read.overrides.filter((each) => !latter.has(each)).map(withoutSecrets),
    vms: changed,
    restartRequired: daemon.restartRequired,
  };
}

function refuseMisfits(before: OverrideState, after: OverrideState): void {
  const former = new Set(before.setAside.map(({ override }) => override));
  const misfits = after.setAside.filter(({ override }) => !former.has(override));
  // Several settings of one request may fail for one and the same reason.
  const problems = [...new Set(misfits.flatMap(({ why }) => why.split('\n')))];
  if (problems.length === 0) return;
  throw new VmpulseError('ERR_VMPULSE_CONFIG', problems.join('\n'), { details: { problems } });
}

/** As it may be told and journalled. */
export function withoutSecrets(override: Override): Override {
  return { ...override, value: redactAt(override.path, override.value) };
}

/** For a person: what, and of whom. */
export function nameOf({ vm, path }: Override): string {
  return vm === null ? path : `${path} of ${vm}`;
}

/** The overrides as a request changes them. */
export function changed(
  former: readonly Override[],
  { changes, author, reason, forMs }: ChangeRequest,
  atMs: number,
): readonly Override[] {
  return changes.reduce<readonly Override[]>((all, { vm, path, value }) => {
    const kept = all.filter((each) => each.vm !== vm || !(path === '' || isAtOrBelow(each.path, path)));
    if (value === undefined) return kept;
    const untilMs = forMs === null ? null : atMs + forMs;
    return [...kept, { vm, path, value, author, reason, atMs, untilMs }];
  }, former);
}

/** An entry of the journal. */
export interface ChangeRecord {
  readonly vm: VmId | null;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the journal says of a change, an entry for each value. */
export function recordsOf(
  { author, reason, forMs }: ChangeRequest,
  { set, withdrawn }: ChangeView,
): readonly ChangeRecord[] {
  const why = reason === '' ? '' : `: ${reason}`;
  const until = (ms: number | null) => (ms === null ? '' : ` until ${new Date(ms).toISOString()}`);
  const replaced = new Set(set.map(nameOf));
  return [
    ...set.map((each) => ({
      vm: each.vm,
      text: `${nameOf(each)} set to ${shown(each.value)} by ${author}${until(each.untilMs)}${why}`,
      data: { verb: 'config-set', author, reason, forMs, path: each.path },
    })),
    ...withdrawn
      .filter((each) => !replaced.has(nameOf(each)))
      .map((each) => ({
        vm: each.vm,
        text: `what was set as ${nameOf(each)} withdrawn by ${author}${why}`,
        data: { verb: 'config-unset', author, reason, path: each.path },
      })),
  ];
}

function shown(value: unknown): string {
  return value === null ? 'nothing' : plainText(JSON.stringify(value), 200);
}
