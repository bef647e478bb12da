import { placeOfName } from './bind-vm.js';
import { describeValue } from './explain-issue.js';
import { isMapping, valueAt } from './mapping.js';
import { patchDocument } from './patch-document.js';
import { formatPlace, type ProblemList } from './problems.js';
import { type RecoveryPolicy, readRecoveryPolicy } from './recovery-policy.js';
import {
  parseDocuments,
  type SourceDocument,
  type SourceFile,
  type UnreadableFile,
} from './source-document.js';
import { closest } from './suggest.js';
import { type Manifest, readManifest } from './virtual-machine.js';
import { type HostBinding, readHostBinding } from './virtual-machine-host.js';

type Documents<T> = Map<string, T>;

/** What documents there are. `unknown`: something was unreadable, so a counterpart may be in it. */
export interface Inventory {
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
  const found = valueAt(value, path);
  return typeof found === 'string' ? found : undefined;
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
  if (!isMapping(value)) {
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

/** Reads the documents of files. What is wrong with one alone, or with a pair of them, goes to `problems`. */
export function readInventory(
  files: readonly (SourceFile | UnreadableFile)[],
  problems: ProblemList,
): Inventory {
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
  return inventory;
}
