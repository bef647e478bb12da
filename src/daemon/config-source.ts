import { join } from 'node:path';
import { type DaemonConfig, type LoadConfigOptions, type LoadedConfig, loadConfig } from '../config/index.js';
import { HostSearch } from '../discovery/index.js';

/** Paths that stand over those of the file. */
export interface ConfigPaths {
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly socketPath?: string;
}

/** Where the configuration comes from: a file, if there is one, and what is found on the host, if that is watched. */
export class ConfigSource {
  readonly path: string;
  /** Undefined: nothing is searched for, and the file must be there. */
  readonly search: HostSearch | undefined;

  private constructor(path: string, search: HostSearch | undefined) {
    this.path = path;
    this.search = search;
  }

  /** Looks at the host for the first time, where that is wanted. */
  static async open(path: string, discover: boolean): Promise<ConfigSource> {
    const source = new ConfigSource(path, discover ? new HostSearch() : undefined);
    try {
      await source.search?.look();
      return source;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Throws as loadConfig() does. */
  load(options: LoadConfigOptions): Promise<LoadedConfig> {
    const { search } = this;
    if (search === undefined) return loadConfig(this.path, options);
    return loadConfig(this.path, { ...options, optional: true, further: (vms) => search.documents(vms) });
  }

  async close(): Promise<void> {
    await this.search?.close();
  }
}

/** The configuration with the paths that stand over it. */
export function withPaths(config: DaemonConfig, paths: ConfigPaths): DaemonConfig {
  const runDir = paths.runDir ?? config.runDir;
  const followsRunDir = config.socketPath === join(config.runDir, 'vmpulse.sock');
  return {
    ...config,
    runDir,
    stateDir: paths.stateDir ?? config.stateDir,
    socketPath: paths.socketPath ?? (followsRunDir ? join(runDir, 'vmpulse.sock') : config.socketPath),
  };
}
