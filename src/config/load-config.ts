import { stat } from 'node:fs/promises';
import { arch, hostname } from 'node:os';
import { extname, join } from 'node:path';
import { Deadline } from '../model/deadline.js';
import { VmpulseError } from '../model/errors.js';
import type { VmSpec } from '../model/vm.js';
import { compileDaemonConfig, compileVms, type HostFacts } from './compile-config.js';
import type { DaemonConfig } from './daemon-schema.js';
import { type ManifestSource, readManifestSource, readSourceFile } from './read-sources.js';
import type { SourceFile, UnreadableFile } from './source-document.js';
import type { Architecture } from './virtual-machine.js';

/** One entry of `manifests`, and whether anything was there. */
interface ManifestSourceState {
  readonly path: string;
  readonly state: ManifestSource['state'];
  readonly files: number;
}

/** A whole configuration: every value final, nothing applied yet. */
export interface LoadedConfig {
  readonly config: DaemonConfig;
  /** Sorted by id. */
  readonly vms: readonly VmSpec[];
  /** `file:line:column path: what is worth knowing`, one a line. */
  readonly warnings: readonly string[];
  readonly sources: readonly ManifestSourceState[];
}

export interface LoadConfigOptions {
  /** For everything together; default 30000. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** What the host calls itself; default the operating system's name of it. */
  readonly hostName?: string;
  /** Where the daemon keeps documents that were applied, instead of in `stateDir` of the configuration. */
  readonly stateDir?: string;
  /** Take every default where there is no configuration file. */
  readonly optional?: boolean;
  /** Documents beside all others, made once the VMs of those are known. They must be valid, and not in the others' way. */
  readonly further?: FurtherDocuments;
}

export type FurtherDocuments = (vms: readonly VmSpec[]) => readonly SourceFile[];

/** Everything that a configuration is made of, read and not compiled yet. */
export interface ConfigSources {
  readonly config: DaemonConfig;
  readonly warnings: readonly string[];
  readonly sources: readonly ManifestSourceState[];
  /** Files that persons keep, from `manifests` of the configuration. */
  readonly byHand: readonly (SourceFile | UnreadableFile)[];
  /** Those of the daemon's own folder: what was applied. */
  readonly applied: readonly (SourceFile | UnreadableFile)[];
  readonly facts: HostFacts;
  readonly further?: FurtherDocuments;
}

/** The folder of the documents that were applied. */
export function appliedFolder(stateDir: string): string {
  return join(stateDir, 'documents');
}

const DEADLINE_MS = 30_000;

function hostArchitecture(): Architecture {
  const name = arch();
  return name === 's390x' || name === 'arm64' ? name : 'amd64';
}

/**
 * Reads the daemon's configuration file and every document it leads to. Changes nothing.
 * Throws ERR_VMPULSE_CONFIG with every problem, one a line as `file:line:column path: what is wrong; remedy`;
 * ERR_VMPULSE_TIMEOUT and ERR_VMPULSE_ABORTED when reading does not end.
 */
export async function loadConfig(path: string, options: LoadConfigOptions = {}): Promise<LoadedConfig> {
  return compileSources(await readConfigSources(path, options));
}

/** The first half of loadConfig: its errors, but for what is wrong in the documents. */
export async function readConfigSources(
  path: string,
  options: LoadConfigOptions = {},
): Promise<ConfigSources> {
  const deadline = new Deadline(`loading of ${path}`, {
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  deadline.check();
  if (extname(path) === '.toml') {
    const text = `${path}:1:1: is TOML, which is not read; write the configuration as YAML`;
    throw new VmpulseError('ERR_VMPULSE_CONFIG', text, { details: { problems: [text] } });
  }
  const facts: HostFacts = { hostName: options.hostName ?? hostname(), architecture: hostArchitecture() };
  const isMissing = options.optional === true && !(await exists(path, deadline));
  const file = isMissing
    ? { path, text: '' }
    : await readSourceFile(path, deadline, 'does not exist; create it, an empty file takes every default');
  const { config: written, warnings } = compileDaemonConfig(file, facts);
  const config = { ...written, stateDir: options.stateDir ?? written.stateDir };
  const sources: ManifestSource[] = [];
  for (const source of config.manifests) sources.push(await readManifestSource(source, deadline));
  const absent = sources
    // Where nobody wrote down where documents are, nobody misses them.
    .filter(({ state }) => state !== 'read' && !isMissing)
    .map(
      ({ path: where, state }) =>
        `${where}: ${state === 'missing' ? 'there is no such directory or file' : 'has no documents'}; no VM is watched from it`,
    );
  const applied = await readManifestSource(appliedFolder(config.stateDir), deadline);
  return {
    config,
    warnings: [...warnings, ...absent],
    sources: sources.map(({ path: where, state, files }) => ({ path: where, state, files: files.length })),
    byHand: sources.flatMap(({ files }) => files),
    applied: applied.files,
    facts,
    ...(options.further === undefined ? {} : { further: options.further }),
  };
}

function exists(path: string, deadline: Deadline): Promise<boolean> {
  return deadline.race(
    stat(path).then(
      () => true,
      (error: unknown) => !(error instanceof Error && 'code' in error && error.code === 'ENOENT'),
    ),
  );
}

/** The second half. Throws ERR_VMPULSE_CONFIG with every problem. */
export function compileSources(read: ConfigSources): LoadedConfig {
  const documents = [...read.byHand, ...read.applied];
  const own = compileVms(documents, read.config, read.facts);
  const further = read.further?.(own.vms) ?? [];
  const compiled =
    further.length === 0 ? own : compileVms([...documents, ...further], read.config, read.facts);
  return {
    config: read.config,
    vms: compiled.vms,
    warnings: [...read.warnings, ...compiled.warnings],
    sources: read.sources,
  };
}
