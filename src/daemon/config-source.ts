import { join } from 'node:path';
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from '../config/index.js';
import { HostSearch } from '../discovery/index.js';
import { SOCKET_NAME } from '../model/folders.js';
import { given } from '../model/given.js';

/** Paths that stand over those of the file. */
export interface ConfigPaths {
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly socketPath?: string;
}

const COMMAND_LINE = 'command line';

/** Where the configuration comes from: a file, if there is one, and what is found on the host, if that is watched. */
export class ConfigSource {
  readonly path: string;
  /** Undefined: nothing is searched for, and the file must be there. */
  readonly search: HostSearch | undefined;
  readonly #paths: ConfigPaths;

  private constructor(path: string, search: HostSearch | undefined, paths: ConfigPaths) {
    this.path = path;
    this.search = search;
    this.#paths = paths;
  }

  /** Looks at the host for the first time, where that is wanted. */
  static async open(path: string, discover: boolean, paths: ConfigPaths): Promise<ConfigSource> {
    const source = new ConfigSource(path, discover ? new HostSearch() : undefined, paths);
    try {
      await source.search?.look();
      return source;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /**
   * Reads all of it. `stateDir`: that of a daemon that runs already, which keeps it. Throws as loadConfig() does.
   */
  async load(stateDir = this.#paths.stateDir, signal?: AbortSignal): Promise<LoadedConfig> {
    const { search } = this;
    const options: LoadConfigOptions = {
      ...given({ stateDir, signal }),
      ...(search === undefined ? {} : { optional: true, further: (vms) => search.documents(vms) }),
    };
    return withPaths(await loadConfig(this.path, options), this.#paths);
  }

  /** Settings that a daemon which runs cannot take over because it found them elsewhere when it began. */
  stays({ config, writtenStateDir }: LoadedConfig): readonly string[] {
    return this.#paths.stateDir === undefined && writtenStateDir !== config.stateDir ? ['stateDir'] : [];
  }

  async close(): Promise<void> {
    await this.search?.close();
  }
}

/** The configuration with the paths that stand over it, and who said them. */
function withPaths(loaded: LoadedConfig, paths: ConfigPaths): LoadedConfig {
  const { config, origins } = loaded;
  const runDir = paths.runDir ?? config.runDir;
  const followsRunDir = config.socketPath === join(config.runDir, SOCKET_NAME);
  const socketPath = paths.socketPath ?? (followsRunDir ? join(runDir, SOCKET_NAME) : config.socketPath);
  const said = { stateDir: paths.stateDir, runDir: paths.runDir, socket: paths.socketPath };
  const bySaid = Object.entries(said).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, COMMAND_LINE]],
  );
  return {
    ...loaded,
    config: { ...config, runDir, socketPath },
    origins: { ...origins, ...Object.fromEntries(bySaid) },
  };
}
