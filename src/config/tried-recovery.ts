import { hostname } from 'node:os';
import { Deadline } from '../model/deadline.js';
import type { RecoverySpec, VmId, VmSpec } from '../model/vm.js';
import { compileDaemonConfig, compileVms } from './compile-config.js';
import type { DaemonConfig } from './daemon-schema.js';
import { hostArchitecture, loadConfig } from './load-config.js';
import { isMapping } from './mapping.js';
import { ProblemList } from './problems.js';
import { readManifestSource } from './read-sources.js';
import { layeredConflicts, layRecovery } from './recovery-layers.js';
import type { RecoveryPolicy, SelectedBy } from './recovery-policy.js';
import { parseDocuments, type SourceFile, type UnreadableFile } from './source-document.js';

const DEADLINE_MS = 30_000;

/** Recovery as files say it, to be tried on VMs that need not be theirs. */
export interface TriedRecovery {
  /** Of the daemon's configuration; undefined: the files are none. */
  readonly limits: DaemonConfig['limits'] | undefined;
  /** That of each VM of the files; where they have none, what the policies make of VMs that they select. Not empty. */
  readonly recoveries: readonly RecoverySpec[];
  /** That of one VM: as its documents say, or else as the policies say that select it by its name. */
  readonly of: (id: VmId) => RecoverySpec;
}

/**
 * Reads a daemon's configuration with the documents that it leads to, or a file or folder of documents on a host that sets
 * nothing. Throws ERR_VMPULSE_CONFIG with every problem, ERR_VMPULSE_TIMEOUT when reading does not end.
 */
export async function loadTriedRecovery(path: string): Promise<TriedRecovery> {
  const deadline = new Deadline(`loading of ${path}`, { deadlineMs: DEADLINE_MS });
  const { files } = await readManifestSource(path, deadline);
  if (!files.some(hasDocuments)) {
    const { config, vms, policies } = await loadConfig(path);
    return triedRecovery(config, config.limits, vms, policies);
  }
  const facts = { hostName: hostname(), architecture: hostArchitecture() };
  const { config } = compileDaemonConfig({ path, text: '' }, facts);
  const { vms, policies } = compileVms(files, config, facts);
  return triedRecovery(config, undefined, vms, policies);
}

/** Documents name what they are; the daemon's configuration does not. */
function hasDocuments(file: SourceFile | UnreadableFile): boolean {
  const { documents } = parseDocuments(file, new ProblemList());
  return documents.some(({ value }) => isMapping(value) && Object.hasOwn(value, 'apiVersion'));
}

function triedRecovery(
  { recovery }: DaemonConfig,
  limits: DaemonConfig['limits'] | undefined,
  vms: readonly VmSpec[],
  policies: readonly RecoveryPolicy[],
): TriedRecovery {
  const byId = new Map(vms.map((vm) => [vm.id, vm.recovery]));
  const lay = (vm: SelectedBy) => laid(recovery, policies, vm);
  const examples = [{ namespace: 'x', name: 'x', labels: {} }, ...policies.map(({ example }) => example)];
  return {
    limits,
    recoveries: vms.length > 0 ? [...byId.values()] : distinct(examples.map(lay)),
    of: (id) => {
      const [namespace = '', name = ''] = id.split('/');
      return byId.get(id) ?? lay({ namespace, name, labels: {} });
    },
  };
}

function laid(base: RecoverySpec, policies: readonly RecoveryPolicy[], vm: SelectedBy): RecoverySpec {
  const layers = policies.filter((policy) => policy.selects(vm));
  const result = layRecovery(base, layers);
  const problems = new ProblemList();
  for (const { layer, below, message } of layeredConflicts(result, layers)) {
    const at = ['spec', 'recovery', ...below];
    problems.add(layer.document.placeOf(at), at, message);
  }
  problems.throwIfAny();
  return result.recovery;
}

function distinct(list: readonly RecoverySpec[]): readonly RecoverySpec[] {
  return [...new Map(list.map((one) => [JSON.stringify(one), one])).values()];
}
