import {
  type ConfigDiff,
  type ConfigSources,
  canonicalJson,
  compileSources,
  diffConfig,
  documentText,
  fileNameOf,
  keysOfVm,
  type NamedDocument,
  namedDocuments,
  ProblemList,
  readConfigSources,
  type SourceFile,
} from '../config/index.js';
import { Turns } from '../model/turns.js';
import type { VmId } from '../model/vm.js';
import { DocumentStore } from './document-store.js';

export interface ApplyRequest {
  /** Texts of YAML or JSON with manifests, host documents and policies; `path` names them in messages. */
  readonly files: readonly SourceFile[];
  /** What was applied before and is not in these files is removed; its VMs run on, unwatched. */
  readonly prune: boolean;
  /** Only tells what would change. */
  readonly dryRun: boolean;
}

/** What an apply changed, or would. */
export interface ApplyView {
  readonly dryRun: boolean;
  /** Documents by kind and name. */
  readonly documents: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
    readonly unchanged: readonly string[];
  };
  readonly vms: Pick<ConfigDiff, 'added' | 'removed' | 'changed'>;
  readonly warnings: readonly string[];
}

export interface DocumentsOptions {
  /** The daemon's configuration file. */
  readonly configPath: string;
  /** Default false: without that file nothing can be applied. */
  readonly configOptional?: boolean;
  readonly stateDir: string;
  /** Has whoever runs the VMs read the whole configuration again. */
  readonly reload: () => Promise<unknown>;
}

interface Change {
  readonly view: ApplyView;
  readonly texts: ReadonlyMap<string, string>;
  readonly former: ReadonlyMap<string, string>;
}

/** Keeps the documents that are applied, beside those that persons keep in the configuration's folders. One at a time. */
export class Documents {
  readonly #options: DocumentsOptions;
  readonly #store: DocumentStore;
  readonly #turns = new Turns();

  constructor(options: DocumentsOptions) {
    this.#options = options;
    this.#store = new DocumentStore(options.stateDir);
  }

  /**
   * Validates the documents together with all others, stores them whole and has them take effect, or changes nothing.
   * Throws ERR_VMPULSE_CONFIG with every problem.
   */
  apply(request: ApplyRequest): Promise<ApplyView> {
    return this.#turns.take(async () => {
      const change = await this.#plan(
        request.files,
        (key, given) => !request.prune || given.has(key),
        request.dryRun,
      );
      if (!request.dryRun) await this.#carryOut(change);
      return change.view;
    });
  }

  /** Removes the documents of a VM. Throws ERR_VMPULSE_CONFIG where a person keeps them. */
  remove(vm: VmId): Promise<ApplyView> {
    return this.#turns.take(async () => {
      const own = keysOfVm(vm);
      const change = await this.#plan([], (key) => !own.includes(key), false);
      if (change.view.documents.removed.length > 0) await this.#carryOut(change);
      return change.view;
    });
  }

  /** Where a person keeps documents of the VM, for example `/etc/vmpulse/vms/web.yaml:1:1`; empty: they were applied. */
  async keptByHand(vm: VmId): Promise<readonly string[]> {
    const read = await this.#read();
    return [...byKey(read.byHand)]
      .filter(([key]) => keysOfVm(vm).includes(key))
      .map(([, { document }]) => place(document));
  }

  /** Folders that no set in force uses. */
  leftovers(): Promise<readonly string[]> {
    return this.#store.leftovers();
  }

  tidy(): Promise<readonly string[]> {
    return this.#turns.take(() => this.#store.tidy());
  }

  #read(): Promise<ConfigSources> {
    const { configPath, configOptional = false, stateDir } = this.#options;
    return readConfigSources(configPath, { stateDir, optional: configOptional });
  }

  async #plan(
    files: readonly SourceFile[],
    stays: (key: string, given: ReadonlyMap<string, NamedDocument>) => boolean,
    dryRun: boolean,
  ): Promise<Change> {
    const read = await this.#read();
    const former = byKey(read.applied);
    const given = byKey(files);
    refuseKeptByHand(given, byKey(read.byHand));
    const kept = new Map([...former].filter(([key]) => stays(key, given) && !given.has(key)));
    const keptFiles = [...kept.values()].map(({ document }) => ({
      path: document.file,
      text: documentText(document.value),
    }));
    const after = compileSources({ ...read, applied: [...keptFiles, ...files] });
    const { added, removed, changed } = diffConfig(compileSources(read), after);
    const next = new Map([...kept, ...given]);
    return {
      view: {
        dryRun,
        documents: difference(former, next),
        vms: { added, removed, changed },
        warnings: after.warnings,
      },
      texts: textsOf(next),
      former: textsOf(former),
    };
  }

  async #carryOut({ texts, former }: Change): Promise<void> {
    const goBack = await this.#store.replace(texts, former);
    try {
      await this.#options.reload();
    } catch (error) {
      // What a person edited meanwhile may not fit: then nothing of this holds.
      await goBack();
      throw error;
    } finally {
      await this.#store.tidy();
    }
  }
}

function byKey(files: ConfigSources['applied']): Map<string, NamedDocument> {
  // What is wrong is told when all of it is compiled.
  const ignored = new ProblemList();
  return new Map(files.flatMap((file) => namedDocuments(file, ignored)).map((named) => [named.key, named]));
}

function refuseKeptByHand(
  given: ReadonlyMap<string, NamedDocument>,
  byHand: ReadonlyMap<string, NamedDocument>,
): void {
  const problems = new ProblemList();
  for (const [key, { document }] of given) {
    const other = byHand.get(key);
    if (other === undefined) continue;
    const path = ['metadata', 'name'];
    const message = `${key} is kept by hand at ${place(other.document)}; change it there and reload, or remove it there first`;
    problems.add(document.placeOf(path), path, message);
  }
  problems.throwIfAny();
}

function place(document: NamedDocument['document']): string {
  const { file, line, column } = document.placeOf(['metadata', 'name']);
  return `${file}:${line}:${column}`;
}

function difference(
  former: ReadonlyMap<string, NamedDocument>,
  next: ReadonlyMap<string, NamedDocument>,
): ApplyView['documents'] {
  const same = (key: string) =>
    canonicalJson(former.get(key)?.document.value ?? null) ===
    canonicalJson(next.get(key)?.document.value ?? null);
  const keys = [...next.keys()].sort();
  return {
    added: keys.filter((key) => !former.has(key)),
    changed: keys.filter((key) => former.has(key) && !same(key)),
    removed: [...former.keys()].filter((key) => !next.has(key)).sort(),
    unchanged: keys.filter((key) => former.has(key) && same(key)),
  };
}

function textsOf(documents: ReadonlyMap<string, NamedDocument>): Map<string, string> {
  return new Map(
    [...documents].map(([key, { document }]) => [fileNameOf(key), documentText(document.value)]),
  );
}
