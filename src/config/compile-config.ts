import { VmpulseError } from '../model/errors.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { type BoundVm, bindVm, type HostDefaults } from './bind-vm.js';
import { checkAcrossVms } from './cross-checks.js';
import { type DaemonConfig, readDaemonConfig } from './daemon-schema.js';
import { readInventory } from './inventory.js';
import { fitOverrides } from './overrides/fit-overrides.js';
import { originsOf, recoveryOriginsOf } from './overrides/origins.js';
import type { Override, OverrideState } from './overrides/override.js';
import { overriddenDaemon } from './overrides/override-daemon.js';
import { overriddenVm } from './overrides/override-vm.js';
import { ProblemList } from './problems.js';
import { inOrder, type RecoveryPolicy } from './recovery-policy.js';
import {
  parseDocuments,
  type SourceDocument,
  type SourceFile,
  type UnreadableFile,
} from './source-document.js';
import type { Architecture } from './virtual-machine.js';
import { type WrittenVm, writtenVm } from './written-vm.js';

/** What configuration depends on besides its files. */
export interface HostFacts {
  readonly hostName: string;
  readonly architecture: Architecture;
}

/** VMs that documents define, complete, sorted by id; and what a person should know although it is no error. */
export interface CompiledVms {
  readonly vms: readonly VmSpec[];
  /** In the order in which they are laid over each other. */
  readonly policies: readonly RecoveryPolicy[];
  readonly warnings: readonly string[];
  /** Of the overrides of VMs. */
  readonly overrides: OverrideState;
  /** What the documents and overrides of each VM write. */
  readonly written: ReadonlyMap<VmId, WrittenVm>;
}

/** The daemon's configuration, and where each of its values is written, by path; what has no entry is a default. */
export interface CompiledDaemon {
  readonly config: DaemonConfig;
  readonly origins: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/**
 * Turns the text of the daemon's configuration into its value. `file.path` is where relative paths start.
 * Throws ERR_VMPULSE_CONFIG with every problem.
 */
export function compileDaemonConfig(
  file: SourceFile | UnreadableFile,
  facts: HostFacts,
  overrides: readonly Override[] = [],
): CompiledDaemon {
  const problems = new ProblemList();
  const { documents } = parseDocuments(file, problems);
  const [first, second] = documents;
  if (second !== undefined) {
    problems.add(
      second.placeOf([]),
      [],
      'is a second document; the daemon configuration is one, manifests stand in files of their own',
    );
  }
  const empty: SourceDocument = {
    file: file.path,
    value: {},
    placeholders: [],
    placeOf: () => ({ file: file.path, line: 1, column: 1 }),
    placeOfKey: () => ({ file: file.path, line: 1, column: 1 }),
  };
  const document = overriddenDaemon(first ?? empty, overrides);
  const config = readDaemonConfig(document, file.path, facts.hostName, problems);
  problems.throwIfAny();
  if (config === undefined)
    throw new VmpulseError('ERR_VMPULSE_INTERNAL', `${file.path} has no problem and no value`);
  const origins = originsOf(document, overrides);
  const recoveryOrigins = recoveryOriginsOf(config.recoveryOrigins, overrides);
  return { config: { ...config, recoveryOrigins }, origins, warnings: problems.warnings() };
}

/**
 * Turns the text of manifests and host documents into VMs, as overrides change them. A pure function. Throws
 * ERR_VMPULSE_CONFIG with every problem of the files; overrides that do not fit are set aside.
 */
export function compileVms(
  files: readonly (SourceFile | UnreadableFile)[],
  config: DaemonConfig,
  facts: HostFacts,
  overrides: readonly Override[] = [],
): CompiledVms {
  const problems = new ProblemList();
  const inventory = readInventory(files, problems);
  const policies = inOrder(inventory.policies.values());
  const { recovery, recoveryOrigins, stateDir, probes } = config;
  const defaults = {
    recovery,
    recoveryOrigins,
    policies,
    architecture: facts.architecture,
    stateDir,
    probes,
  };
  const bound = [...inventory.manifests].flatMap(([id, manifest]) => {
    const host = inventory.hosts.get(id);
    return host === undefined ? [] : (bindVm(manifest, host, defaults, problems) ?? []);
  });
  checkAcrossVms(bound, config.metrics.listen, problems);
  problems.throwIfAny();
  const { fitted, state } = overrideVms(bound, overrides, defaults);
  return {
    vms: fitted.map(({ spec }) => spec).sort((a, b) => (a.id < b.id ? -1 : 1)),
    policies,
    warnings: problems.warnings(),
    overrides: state,
    written: new Map(fitted.map((each) => [each.spec.id, writtenVm(each)])),
  };
}

/** Files that are valid alone, with what was set at run time over them. */
function overrideVms(
  bound: readonly BoundVm[],
  overrides: readonly Override[],
  defaults: HostDefaults,
): { readonly fitted: readonly BoundVm[]; readonly state: OverrideState } {
  const byVm = new Map<VmId | null, Override[]>();
  for (const each of overrides) byVm.set(each.vm, [...(byVm.get(each.vm) ?? []), each]);
  const fitted = bound.map((base) =>
    fitOverrides(byVm.get(base.spec.id) ?? [], (taken) => overriddenVm(base, taken, defaults)),
  );
  const known = new Set<VmId | null>(bound.map(({ spec }) => spec.id));
  return {
    fitted: fitted.map(({ value }) => value),
    state: {
      inForce: fitted.flatMap(({ taken }) => taken),
      setAside: fitted.flatMap(({ setAside }) => setAside),
      idle: overrides.filter(({ vm }) => !known.has(vm)),
    },
  };
}
