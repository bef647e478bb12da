import { stat } from 'node:fs/promises';
import { arch, hostname } from 'node:os';
import { extname, join } from 'node:path';
import { Deadline } from '../model/deadline.js';
import { isMissingFile, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { type CompiledVms, compileDaemonConfig, compileVms, type HostFacts } from './compile-config.js';
import type { DaemonConfig } from './daemon-schema.js';
import { fitOverrides } from './overrides/fit-overrides.js';
import { type Override, type OverrideState, readOverrides } from './overrides/override.js';
import { ProblemList } from './problems.js';
import { type ManifestSource, readManifestSource, readSourceFile } from './read-sources.js';
import type { RecoveryPolicy } from './recovery-policy.js';
import type { SourceFile, UnreadableFile } from './source-document.js';
import type { Architecture } from './virtual-machine.js';
import type { WrittenVm } from './written-vm.js';

/** One entry of `manifests`, and whether anything was there. */
interface ManifestSourceState {
  readonly path: string;
  readonly state: ManifestSource['state'];
  readonly files: number;
}

/** A whole configuration: every value final, nothing applied yet. */
export interface LoadedConfig {
  readonly config: DaemonConfig;
  /** What the file says of `stateDir`, where another one is used. */
  readonly writtenStateDir: string;
  /** Sorted by id. */
  readonly vms: readonly VmSpec[];
  /** In the order in which they are laid over each other. */
  readonly policies: readonly RecoveryPolicy[];
  /** `file:line:column path: what is worth knowing`, one a line. */
  readonly warnings: readonly string[];
  readonly sources: readonly ManifestSourceState[];
  /** Where each value of the daemon's configuration is written, by its path in the file; the rest are defaults. */
  readonly origins: Readonly<Record<string, string>>;
  readonly overrides: OverrideState;
  /** What the documents and overrides of each VM write of what can be changed while it runs. */
  readonly written: ReadonlyMap<VmId, WrittenVm>;
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
  /** The daemon's own file. */
  readonly file: SourceFile | UnreadableFile;
  readonly stateDir: string;
  /** Sources that are not as they should be. */
  readonly warnings: readonly string[];
  readonly sources: readonly ManifestSourceState[];
  /** Files that persons keep, from `manifests` of the configuration. */
  readonly byHand: readonly (SourceFile | UnreadableFile)[];
  /** Those of the daemon's own folder: what was applied. */
  readonly applied: readonly (SourceFile | UnreadableFile)[];
  /** What was set at run time, in that order. */
  readonly overrides: readonly Override[];
  readonly facts: HostFacts;
  readonly further?: FurtherDocuments;
}

/** The folder of the documents that were applied. */
export function appliedFolder(stateDir: string): string {
  return join(stateDir, 'documents');
}

const DEADLINE_MS = 30_000;

export function hostArchitecture(): Architecture {
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
    ...given({ signal: options.signal }),
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
  const { config } = compileDaemonConfig(file, facts);
  const stateDir = options.stateDir ?? config.stateDir;
  const sources: ManifestSource[] = [];
  for (const source of config.manifests) sources.push(await readManifestSource(source, deadline));
  const absent = sources
    // Where nobody wrote down where documents are, nobody misses them.
    .filter(({ state }) => state !== 'read' && !isMissing)
    .map(
      ({ path: where, state }) =>
        `${where}: ${state === 'missing' ? 'there is no such directory or file' : 'has no documents'}; no VM is watched from it`,
    );
  const applied = await readManifestSource(appliedFolder(stateDir), deadline);
  const problems = new ProblemList();
  const overrides = await readOverrides(stateDir, Date.now(), deadline, problems);
  problems.throwIfAny();
  return {
    file,
    stateDir,
    warnings: absent,
    sources: sources.map(({ path: where, state, files }) => ({ path: where, state, files: files.length })),
    byHand: sources.flatMap(({ files }) => files),
    applied: applied.files,
    overrides,
    facts,
    ...given({ further: options.further }),
  };
}

function exists(path: string, deadline: Deadline): Promise<boolean> {
  return deadline.race(
    stat(path).then(
      () => true,
      (error: unknown) => !isMissingFile(error),
    ),
  );
}

/**
 * The second half. Throws ERR_VMPULSE_CONFIG with every problem of the files; overrides that do not fit are set aside,
 * and warned of.
 */
export function compileSources(read: ConfigSources): LoadedConfig {
  const isOfDaemon = ({ vm }: Override) => vm === null;
  const ofVms = read.overrides.filter((each) => !isOfDaemon(each));
  const { value, taken, setAside } = fitOverrides(read.overrides.filter(isOfDaemon), (ofDaemon) => {
    const daemon = compileDaemonConfig(read.file, read.facts, ofDaemon);
    const config = { ...daemon.config, stateDir: read.stateDir };
    const { stateDir: writtenStateDir } = daemon.config;
    return { ...daemon, config, writtenStateDir, compiled: compileAll(read, config, ofVms) };
  });
  const { config, writtenStateDir, origins, warnings, compiled } = value;
  const overrides: OverrideState = {
    inForce: [...taken, ...compiled.overrides.inForce],
    setAside: [...setAside, ...compiled.overrides.setAside],
    idle: compiled.overrides.idle,
  };
  return {
    config,
    writtenStateDir,
    vms: compiled.vms,
    policies: compiled.policies,
    warnings: [...warnings, ...read.warnings, ...compiled.warnings, ...warningsOf(overrides)],
    sources: read.sources,
    origins,
    overrides,
    written: compiled.written,
  };
}

function compileAll(read: ConfigSources, config: DaemonConfig, overrides: readonly Override[]): CompiledVms {
  const documents = [...read.byHand, ...read.applied];
  const compile = (files: Parameters<typeof compileVms>[0]) =>
    compileVms(files, config, read.facts, overrides);
  const own = compile(documents);
  const further = read.further?.(own.vms) ?? [];
  return further.length === 0 ? own : compile([...documents, ...further]);
}

function warningsOf({ setAside, idle }: OverrideState): readonly string[] {
  const name = ({ vm, path }: Override) => `the override of ${path}${vm === null ? '' : ` of ${vm}`}`;
  return [
    ...setAside.map(
      ({ override, why }) =>
        `${name(override)} is set aside, as it does not fit the files any more: ${why.replaceAll('\n', '; ')}`,
    ),
    ...idle.map((override) => `${name(override)} waits: no document defines that VM`),
  ];
}
