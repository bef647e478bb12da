import { compileDaemonConfig, compileVms, type HostFacts } from '../compile-config.js';
import { membersOf } from '../mapping.js';
import { documentText } from '../named-document.js';
import { ProblemList } from '../problems.js';
import { parseDocuments, type SourceDocument, type SourceFile } from '../source-document.js';
import type { Imported, Importer, NotTaken } from './imported.js';
import { hostDocumentOf } from './kubevirt-host.js';

const FACTS: HostFacts = { hostName: 'import', architecture: 'amd64' };

/** Manifests of KubeVirt, each with the host document that it needs here. */
export const importKubevirt: Importer = (file): Imported => {
  const problems = new ProblemList();
  const { documents } = parseDocuments(file, problems);
  problems.throwIfAny();
  const notTaken: NotTaken[] = [];
  const made: Made[] = [];
  let nextPort = FIRST_PORT;
  for (const document of documents) {
    const { kind, id, name } = identityOf(document);
    if (kind !== 'VirtualMachine') {
      notTaken.push({
        place: document.placeOf([]),
        path: kind,
        why: 'is no VirtualMachine; leave it in its cluster',
      });
      continue;
    }
    const host = hostDocumentOf(document, nextPort);
    nextPort = host.nextPort;
    notTaken.push(...host.notTaken);
    made.push({ id, name, manifest: documentText(document.value), host: documentText(host.value) });
  }
  const warnings = check(file, made, made.length === documents.length);
  const top = { file: file.path, line: 1, column: 1 };
  return {
    files: made.map(({ name, manifest, host }) => ({
      path: `${name}.yaml`,
      text: `${manifest}---\n${host}`,
    })),
    taken: made.map(({ id }) => `VirtualMachine ${id}`),
    notTaken: [...notTaken, ...warnings.map((why) => ({ place: top, path: '', why }))],
    commands: made.map(({ id }) => [
      `vmpulse config set --vm ${id} recovery.enabled true`,
      'until then vmpulse only observes',
    ]),
  };
};

/** A VM with its two documents. */
interface Made {
  readonly id: string;
  /** For a file. */
  readonly name: string;
  readonly manifest: string;
  readonly host: string;
}

/** Host ports that guests' ports are forwarded from, where probes have no other way. */
const FIRST_PORT = 20_080;

/** What is written must load. Throws ERR_VMPULSE_CONFIG; places are those of the file where it has nothing else. */
function check(given: SourceFile, made: readonly Made[], hasVmsOnly: boolean): readonly string[] {
  const { config } = compileDaemonConfig({ path: 'config.yaml', text: '' }, FACTS);
  const manifests = made.map(({ id, manifest }) => ({
    path: `${given.path} (manifest of ${id})`,
    text: manifest,
  }));
  const hosts = made.map(({ id, host }) => ({ path: `${given.path} (host document of ${id})`, text: host }));
  return compileVms([...(hasVmsOnly ? [given] : manifests), ...hosts], config, FACTS).warnings;
}

interface Identity {
  readonly kind: string;
  /** `namespace/name`. */
  readonly id: string;
  /** For a file. */
  readonly name: string;
}

const SAFE = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;

function identityOf({ value }: SourceDocument): Identity {
  const { kind, metadata } = membersOf(value);
  const { name, namespace = 'default' } = membersOf(metadata);
  const safe = (part: unknown) => (typeof part === 'string' && SAFE.test(part) ? part : 'vm');
  return {
    kind: typeof kind === 'string' ? kind : 'document',
    id: `${safe(namespace)}/${safe(name)}`,
    name: `${safe(namespace)}_${safe(name)}`,
  };
}
