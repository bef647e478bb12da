import { VmpulseError } from '../model/errors.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { type BoundVm, bindVm, type HostDefaults, placeOfName } from './bind-vm.js';
import { checkAcrossVms } from './cross-checks.js';
import { type DaemonConfig, readDaemonConfig } from './daemon-schema.js';
import { describeValue } from './explain-issue.js';
import { fitOverrides } from './overrides/fit-overrides.js';
import { originsOf, recoveryOriginsOf } from './overrides/origins.js';
import type { Override, OverrideState } from './overrides/override.js';
import { overriddenDaemon } from './overrides/override-daemon.js';
import { overriddenVm } from './overrides/override-vm.js';
import { patchDocument } from './patch-document.js';
import { formatPlace, ProblemList } from './problems.js';
import { inOrder, type RecoveryPolicy, readRecoveryPolicy } from './recovery-policy.js';
import {
  parseDocuments,
  type SourceDocument,
  type SourceFile,
  type UnreadableFile,
} from './source-document.js';
import { closest } from './suggest.js';
import { type Architecture, type Manifest, readManifest } from './virtual-machine.js';
import { type HostBinding, readHostBinding } from './virtual-machine-host.js';
import { type WrittenVm, writtenVm } from './written-vm.js';

/** What configuration depends on besides its files. */
export interface HostFacts {
  readonly hostName: string;
  readonly architecture: Architecture;
}

/** VMs that documents define, complete, sorted by id; and what a person should know although it is no error. */
export interface CompiledVms {
  readonly vms: readonly VmSpec[];
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

type Documents<T> = Map<string, T>;

/** What has been read so far. `unknown`: something was unreadable, so a counterpart may be in it. */
interface Inventory {
  readonly manifests: Documents<Manifest>;
  readonly hosts: Documents<HostBinding>;
  readonly policies: Documents<RecoveryPolicy>;
  /** Ids of documents that are wrong in themselves. */
  readonly broken: Set<string>;
  unknown: boolean;
}

const KINDS =
  'kubevirt.io/v1 VirtualMachine, vmpulse.dev/v1 VirtualMachineHost or vmpulse.dev/v1 RecoveryPolicy';

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = Object.entries(at).find(([key]) => key === step)?.[1];
  }
  return typeof at === 'string' ? at : undefined;
}

function idOf(document: SourceDocument): string | undefined {
  const name = textAt(document.value, 'metadata', 'name');
  return name === undefined
    ? undefined
    : `${textAt(document.value, 'metadata', 'namespace') ?? 'default'}/${name}`;
}

/** Says what is wrong with a document of a kind that vmpulse does not read. */
function refuseKind(document: SourceDocument, problems: ProblemList): void {
  const { value } = document;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.add(document.placeOf([]), [], `is ${describeValue(value)}, not a document; write a ${KINDS}`);
    return;
  }
  const apiVersion = textAt(value, 'apiVersion');
  const kind = textAt(value, 'kind');
  const field = apiVersion === 'kubevirt.io/v1' || apiVersion === 'vmpulse.dev/v1' ? 'kind' : 'apiVersion';
  const what = `${apiVersion ?? 'no apiVersion'} ${kind ?? 'without kind'}`;
  problems.add(
    document.placeOf([field]),
    [field],
    `is of a document that vmpulse does not read (${what}); write a ${KINDS}`,
  );
}

function take<T extends Manifest | HostBinding>(
  read: T | undefined,
  document: SourceDocument,
  into: Documents<T>,
  inventory: Inventory,
  problems: ProblemList,
): void {
  if (read === undefined) {
    const id = idOf(document);
    if (id === undefined) inventory.unknown = true;
    else inventory.broken.add(id);
    return;
  }
  const id = `${read.namespace}/${read.name}`;
  const earlier = into.get(id);
  if (earlier === undefined) {
    into.set(id, read);
    return;
  }
  const message = `"${id}" is already defined at ${placeOfName(earlier)}; remove or rename one`;
  problems.add(document.placeOf(['metadata', 'name']), ['metadata', 'name'], message);
}

function takePolicy(document: SourceDocument, { policies }: Inventory, problems: ProblemList): void {
  const read = readRecoveryPolicy(document, problems);
  if (read === undefined) return;
  const earlier = policies.get(read.name);
  if (earlier === undefined) {
    policies.set(read.name, read);
    return;
  }
  const path = ['metadata', 'name'];
  const message = `"${read.name}" is already defined at ${formatPlace(earlier.document.placeOf(path))}; remove or rename one`;
  problems.add(document.placeOf(path), path, message);
}

/** A policy for nobody is most often a slip in its selector. */
function warnOfUnused({ policies, manifests }: Inventory, problems: ProblemList): void {
  for (const { document, selects } of policies.values()) {
    if ([...manifests.values()].some(selects)) continue;
    const path = ['spec', 'selector'];
    problems.warn(document.placeOf(path), path, 'selects none of the VMs; check it, or remove this document');
  }
}

function typeOf({ value }: SourceDocument): string {
  return `${textAt(value, 'apiVersion')} ${textAt(value, 'kind')}`;
}

function isHost(document: SourceDocument): boolean {
  return typeOf(document) === 'vmpulse.dev/v1 VirtualMachineHost';
}

/** A host document as the patch of its manifest has it. */
function takeHost(document: SourceDocument, inventory: Inventory, problems: ProblemList): void {
  const patch = inventory.manifests.get(idOf(document) ?? '')?.steering.patch;
  const value = patch === undefined ? document : patchDocument(document, patch, problems);
  const read = value && readHostBinding(value, problems);
  take(read, document, inventory.hosts, inventory, problems);
}

function readDocument(document: SourceDocument, inventory: Inventory, problems: ProblemList): void {
  const type = typeOf(document);
  if (type === 'kubevirt.io/v1 VirtualMachine') {
    take(readManifest(document, problems), document, inventory.manifests, inventory, problems);
  } else if (type === 'vmpulse.dev/v1 RecoveryPolicy') {
    takePolicy(document, inventory, problems);
  } else {
    refuseKind(document, problems);
    inventory.unknown = true;
  }
}

/** A manifest and its host document need each other; says which is missing and how to write it. */
function refuseUnpaired(inventory: Inventory, problems: ProblemList): void {
  const { manifests, hosts, broken, unknown } = inventory;
  if (unknown) return;
  const refuse = (
    from: Manifest | HostBinding,
    others: Documents<unknown>,
    missing: string,
    remedy: string,
  ) => {
    const id = `${from.namespace}/${from.name}`;
    if (others.has(id) || broken.has(id)) return;
    const lonely = [...others.keys()].filter((other) => !(manifests.has(other) && hosts.has(other)));
    const near = closest(id, lonely);
    const hint = near === undefined ? remedy : `did you mean "${near}"?`;
    const path = ['metadata', 'name'];
    from.document.placeOf(path);
    problems.add(from.document.placeOf(path), path, `"${id}" has no ${missing}; ${hint}`);
  };
  for (const manifest of manifests.values()) {
    const { namespace, name } = manifest;
    const remedy = `add one: {apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: ${name}, namespace: ${namespace}}, spec: {hypervisor: {qemu: {…}}}}`;
    refuse(manifest, hosts, 'VirtualMachineHost document', remedy);
  }
  for (const host of hosts.values()) {
    refuse(
      host,
      manifests,
      'VirtualMachine manifest',
      'add the kubevirt.io/v1 VirtualMachine, or remove this document',
    );
  }
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
  const inventory: Inventory = {
    manifests: new Map(),
    hosts: new Map(),
    policies: new Map(),
    broken: new Set(),
    unknown: false,
  };
  const documents: SourceDocument[] = [];
  for (const file of files) {
    const parsed = parseDocuments(file, problems);
    inventory.unknown ||= parsed.broken;
    documents.push(...parsed.documents);
  }
  // A manifest may patch its host document: all manifests are read before any of those.
  for (const document of documents.filter((each) => !isHost(each)))
    readDocument(document, inventory, problems);
  for (const document of documents.filter(isHost)) takeHost(document, inventory, problems);
  refuseUnpaired(inventory, problems);
  warnOfUnused(inventory, problems);
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
