import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { destination, type Logger as Pino, pino } from 'pino';
import {
  type DaemonConfig,
  diffConfig,
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
} from '../config/index.js';
import { HostSearch } from '../discovery/index.js';
import { ProbeEngine } from '../engine/index.js';
import { Lifecycle } from '../lifecycle/index.js';
import { systemClock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { type ObservableJournal, openJournal } from '../runtime/journal/index.js';
import { createMetrics, type Metrics } from '../runtime/metrics/metrics.js';
import type { ReloadView } from '../runtime/views.js';
import { Vmpulse } from '../runtime/vmpulse.js';
import { limitRequests } from './access/limits.js';
import { identifyRemote } from './access/remote-callers.js';
import { socketAccess } from './access/socket-access.js';
import { TokenStore } from './access/token-store.js';
import { createAgentCheck } from './agent-check.js';
import { createApi, createHeartbeatApi, createMetricsApi } from './api.js';
import type { ApiOptions } from './api-route.js';
import { missingOnHost } from './host-checks.js';
import { HostWatchdog } from './host-watchdog.js';
import { closeHttpServer, createHttpServer } from './http-server.js';
import { limitPerAddress } from './limit-per-address.js';
import { listenLoopback, listenTcp, listenUnix } from './listen.js';
import { MetricsPush } from './metrics-push.js';
import { RemoteApi } from './remote-api.js';
import { type NotifyOptions, ServiceNotifier } from './service-notifier.js';
import { lockStateDir } from './state-lock.js';
import { createTelling } from './telling.js';
import { requireOwnFile, requireOwnFolder } from './trusted-paths.js';

export interface DaemonOptions {
  /** The configuration file. */
  readonly configPath: string;
  /** There need not be one: then what is found on the host is watched, beside what is applied. Default false. */
  readonly discover?: boolean;
  /** Each overrides what the file says. */
  readonly stateDir?: string;
  readonly runDir?: string;
  readonly socketPath?: string;
  /** The service manager that wants to be told, if any. */
  readonly notify?: NotifyOptions;
  /** The value of a variable of the environment, where the configuration names one for a secret; default none. */
  readonly variable?: (name: string) => string | undefined;
}

/** Where the configuration comes from. */
interface Loading {
  readonly configPath: string;
  readonly search: HostSearch | undefined;
}

/** What the API is served from. */
interface Served extends Pick<ApiOptions, 'lifecycle' | 'notifier'> {
  readonly runtime: Vmpulse;
  readonly tokens: TokenStore;
}

interface Owned {
  readonly name: string;
  readonly close: () => unknown;
}

/** What is opened and written in the state directory before anything else is. */
const JOURNAL_FILES = ['lock', 'journal.db', 'journal.db-wal', 'journal.db-shm', 'journal.db.id'];
/** Longest wait for what a plan has come to to be durable, ms. */
const JOURNAL_MS = 5_000;
/** Longest wait for one thing to let go at the end, ms. */
const CLOSE_MS = 10_000;

/**
 * One vmpulse daemon: configuration, lock of the state directory, journal, runtime, API. Takes no signals; whoever
 * starts it calls reload() and close(). VMMs run on when it ends.
 */
export class Daemon {
  readonly config: DaemonConfig;
  readonly #loading: Loading;
  readonly #logger: Pino;
  readonly #started: LoadedConfig;
  /** What holds now. */
  #loaded: LoadedConfig;
  readonly #notifier: ServiceNotifier;
  readonly #variable: (name: string) => string | undefined;
  readonly #stop = new AbortController();
  /** What must be let go, latest first. */
  readonly #owned: Owned[] = [];
  #vmpulse: Vmpulse | undefined;
  #remote: RemoteApi | undefined;
  #reloads: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(options: DaemonOptions, loading: Loading, loaded: LoadedConfig) {
    this.#loading = loading;
    this.#started = loaded;
    this.#loaded = loaded;
    this.config = withOverrides(loaded.config, options);
    const stderr = destination({ dest: 2, sync: true });
    // A full disk under the log does not end the daemon.
    stderr.on('error', () => {});
    this.#logger = pino({ level: this.config.logLevel, base: null }, stderr);
    this.#variable = options.variable ?? (() => undefined);
    this.#notifier = new ServiceNotifier(options.notify, this.#logger);
  }

  /**
   * Starts a daemon and resolves once it watches its VMs and answers on its socket. When anything fails, everything is
   * let go again. Errors: ERR_VMPULSE_CONFIG, ERR_VMPULSE_LOCKED, ERR_VMPULSE_ADDRESS_IN_USE,
   * ERR_VMPULSE_JOURNAL_VERSION, ERR_VMPULSE_NATIVE, ERR_VMPULSE_SYSCALL.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { configPath, stateDir, discover = false } = options;
    const search = discover ? new HostSearch() : undefined;
    const loading: Loading = { configPath, search };
    let daemon: Daemon;
    try {
      await search?.look();
      daemon = new Daemon(options, loading, await load(loading, stateDir === undefined ? {} : { stateDir }));
    } catch (error) {
      await search?.close();
      throw error;
    }
    try {
      await daemon.#start();
      return daemon;
    } catch (error) {
      await daemon.close();
      throw error;
    }
  }

  /**
   * Reads the configuration again and applies it whole, or nothing of it. Errors: ERR_VMPULSE_CONFIG and
   * ERR_VMPULSE_TIMEOUT of loadConfig, ERR_VMPULSE_CLOSED.
   */
  reload(): Promise<ReloadView> {
    const reloaded = this.#reloads.then(() => this.#reload());
    this.#reloads = reloaded.catch((error: unknown) => {
      const why = `the configuration was not reloaded; the former one stays: ${errorMessage(error)}`;
      if (this.#closing) this.#logger.error({}, why);
      else this.#vmpulse?.degrade('configuration', why);
    });
    return reloaded;
  }

  /** Lets go of everything; VMMs run on. Idempotent, ends in bounded time. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #start(): Promise<void> {
    const { config } = this;
    await makeDir(config.stateDir, 0o750);
    await makeDir(config.runDir, 0o755);
    await requireOwnFolder(config.stateDir);
    for (const file of JOURNAL_FILES) await requireOwnFile(join(config.stateDir, file));
    const lock = lockStateDir(config.stateDir);
    this.#own('lock', () => lock.close());
    const { search } = this.#loading;
    this.#own('search for VMs', () => search?.close());
    const path = join(config.stateDir, 'journal.db');
    const journal = await openJournal({ path, ...config.journal, logger: this.#logger });
    this.#own('journal', () => journal.close());
    const metrics = createMetrics({ seedNames: config.metrics.seedNames });
    const vmpulse = this.#createRuntime(journal, metrics);
    const lifecycle = this.#createLifecycle(vmpulse, journal);
    const variable = this.#variable;
    const telling = createTelling({ config, runtime: vmpulse, metrics, clock: systemClock, variable });
    this.#own('notifications', () => telling.close());
    const tokens = new TokenStore(journal);
    await this.#serve({ runtime: vmpulse, lifecycle, notifier: telling.notifier, tokens });
    for (const warning of this.#started.warnings) this.#logger.warn({}, warning);
    for (const { what, why } of missingOnHost()) vmpulse.degrade(what, why);
    this.#tellSetAside(vmpulse);
    await telling.start();
    await vmpulse.start();
    telling.started();
    await this.#serveAgentCheck(vmpulse);
    this.#pushMetrics(vmpulse, metrics);
    this.#armWatchdog(vmpulse);
    this.#vmpulse = vmpulse;
    await lifecycle.start();
    this.#notifier.ready(watching(this.#started.vms.length));
    this.#notifier.watch(() => vmpulse.stuck());
    this.#logger.info({ socket: config.socketPath, vms: this.#started.vms.length }, 'ready');
    if (search === undefined) return;
    this.#logger.info(
      {},
      'there is no configuration: what is found on this host is watched, and not acted on',
    );
    search.follow(() => this.reload(), this.#logger);
  }

  #createRuntime(journal: ObservableJournal, metrics: Metrics): Vmpulse {
    const { config } = this;
    const logger = this.#logger;
    const { backend, ...engineOptions } = config.engine;
    let fallback: string | undefined;
    const engine = new ProbeEngine({
      engine: backend,
      ...engineOptions,
      onFallback: (error) => {
        fallback = error.message;
      },
    });
    this.#own('engine', () => engine.close());
    const vmpulse = new Vmpulse({
      vms: this.#started.vms,
      runDir: config.runDir,
      stateDir: config.stateDir,
      host: config.hostName,
      engine,
      journal,
      policy: config.limits,
      networks: config.networks,
      hooks: config.hooks,
      metrics,
      logger,
    });
    this.#own('runtime', () => vmpulse.close());
    if (fallback !== undefined) vmpulse.degrade('engine', `the portable engine is used: ${fallback}`);
    return vmpulse;
  }

  #createLifecycle(runtime: Vmpulse, journal: ObservableJournal): Lifecycle {
    const { configPath, search } = this.#loading;
    const lifecycle = new Lifecycle({
      configPath,
      configOptional: search !== undefined,
      stateDir: this.config.stateDir,
      runDir: this.config.runDir,
      reload: () => this.reload(),
      loaded: () => this.#loaded,
      ...(search === undefined ? {} : { further: (vms) => search.documents(vms) }),
      runtime,
      journal,
      clock: systemClock,
      logger: this.#logger,
      journalDeadlineMs: JOURNAL_MS,
    });
    this.#own('plans', () => lifecycle.close());
    return lifecycle;
  }

  async #serve(parts: Served): Promise<void> {
    const { config } = this;
    const { runtime } = parts;
    const logger = this.#logger;
    const reload = () => this.reload();
    const isReady = () => this.#vmpulse !== undefined;
    const { signal } = this.#stop;
    const shared = { ...parts, reload, logger, isReady, run: Date.now(), signal };
    const access = await socketAccess(config.api);
    if (access.problems.length > 0) runtime.degrade('api-access', access.problems.join('; '));
    const identify = limitRequests(access.identify, ({ scope }) => scope === 'admin');
    const api = createApi({ ...shared, identify });
    await listenUnix(this.#ownServer('API', createHttpServer(api)), config.socketPath, access.gid);
    await this.#serveRemote(shared);
    if (config.heartbeats.listen !== undefined) {
      const heartbeats = createHttpServer(createHeartbeatApi({ runtime, logger, isReady }));
      limitPerAddress(heartbeats);
      await listenTcp(this.#ownServer('heartbeat port', heartbeats), config.heartbeats.listen);
    }
    if (config.metrics.listen !== undefined) {
      const metrics = createHttpServer(createMetricsApi(runtime, logger));
      await listenLoopback(this.#ownServer('metrics port', metrics), config.metrics.listen);
    }
  }

  /** By TCP, where that is configured. */
  async #serveRemote(shared: Omit<ApiOptions, 'identify'> & Served): Promise<void> {
    const { listen } = this.config.api;
    if (listen === undefined) return;
    const callerOf = (token: string) => shared.tokens.callerOf(token);
    const identify = limitRequests(identifyRemote({ callerOf, clients: listen.clients }), () => false);
    const remote = await RemoteApi.start(createApi({ ...shared, identify }), listen);
    this.#remote = remote;
    this.#own('API port', () => closeHttpServer(remote.server));
  }

  /** Only once the list of endpoints is known: who asked before would hear that nobody is in it. */
  async #serveAgentCheck(vmpulse: Vmpulse): Promise<void> {
    const { agentCheck } = this.config.readiness;
    if (agentCheck === undefined) return;
    const server = createAgentCheck(vmpulse);
    // Its connections last for one short answer.
    this.#own('agent check', () => server.close());
    await listenLoopback(server, agentCheck);
  }

  #pushMetrics(vmpulse: Vmpulse, metrics: Metrics): void {
    const { hostName } = this.config;
    const { push: config } = this.config.metrics;
    if (config === undefined) return;
    let isFailing = false;
    const push = new MetricsPush({
      ...config,
      labels: { job: 'vmpulse', instance: hostName },
      render: () => vmpulse.renderMetrics('identity'),
      onEnd: (why) => {
        metrics.pushed(why === undefined ? 'sent' : 'failed');
        if (why === undefined) vmpulse.mend('metrics-push');
        else if (!isFailing) vmpulse.degrade('metrics-push', `the metrics could not be sent: ${why}`);
        isFailing = why !== undefined;
      },
    });
    this.#own('push of metrics', () => push.close());
  }

  /** The last thing to begin and the first to end: an orderly stop disarms it. */
  #armWatchdog(vmpulse: Vmpulse): void {
    const { hostWatchdog } = this.config;
    if (hostWatchdog === undefined) return;
    const stuck = () => vmpulse.stuck();
    const watchdog = new HostWatchdog({ ...hostWatchdog, stuck, clock: systemClock, logger: this.#logger });
    this.#own('host watchdog', () => watchdog.close());
  }

  async #reload(): Promise<ReloadView> {
    if (!this.#vmpulse || this.#closing) {
      throw new VmpulseError(
        'ERR_VMPULSE_CLOSED',
        'the daemon is starting or ending; try again once it is ready',
      );
    }
    this.#notifier.reloading();
    try {
      const next = await load(this.#loading, {
        signal: this.#stop.signal,
        stateDir: this.config.stateDir,
      });
      const tls = await this.#remote?.read();
      const applied = await this.#vmpulse.apply(next.vms);
      if (tls !== undefined) this.#remote?.use(tls);
      this.#loaded = next;
      this.#tellSetAside(this.#vmpulse);
      this.#vmpulse.mend('configuration');
      this.#vmpulse.hooks.configure(next.config.hooks);
      this.#logger.level = next.config.logLevel;
      const { restartRequired } = diffConfig(this.#started, next).daemon;
      const later = restartRequired.map((name) => `${name} changed: it holds after a restart of the daemon`);
      const warnings = [...next.warnings, ...later];
      for (const warning of warnings) this.#logger.warn({}, warning);
      return { ...applied, warnings };
    } finally {
      this.#notifier.ready(watching(this.#vmpulse.view().vms.length));
    }
  }

  /** Shows what was set at run time and does not fit the files any more. */
  #tellSetAside(vmpulse: Vmpulse): void {
    const paths = this.#loaded.overrides.setAside.map(({ override: { vm, path } }) =>
      vm === null ? path : `${path} of ${vm}`,
    );
    const why = `what was set at run time does not fit the files any more and is set aside: ${paths.join(', ')}; vmpulse config show says why`;
    if (paths.length === 0) vmpulse.mend('overrides');
    else vmpulse.degrade('overrides', why);
  }

  async #close(): Promise<void> {
    this.#notifier.stopping();
    this.#stop.abort();
    await this.#letGo({ name: 'reload', close: () => this.#reloads });
    for (const owned of this.#owned.toReversed()) await this.#letGo(owned);
  }

  async #letGo({ name, close }: Owned): Promise<void> {
    const deadline = new Deadline(`the end of the ${name}`, { deadlineMs: CLOSE_MS });
    await deadline.race(Promise.resolve().then(close)).catch((error: unknown) => {
      this.#logger.error({ error: errorMessage(error) }, `the ${name} did not end well`);
    });
  }

  #own(name: string, close: Owned['close']): void {
    this.#owned.push({ name, close });
  }

  #ownServer(name: string, server: Server): Server {
    this.#own(name, () => closeHttpServer(server));
    return server;
  }
}

/** The configuration file, if there is one, and what is found on the host, if that is watched. */
function load({ configPath, search }: Loading, options: LoadConfigOptions): Promise<LoadedConfig> {
  if (search === undefined) return loadConfig(configPath, options);
  return loadConfig(configPath, { ...options, optional: true, further: (vms) => search.documents(vms) });
}

function watching(vms: number): string {
  return `watching ${vms} VMs`;
}

function withOverrides(config: DaemonConfig, options: DaemonOptions): DaemonConfig {
  const runDir = options.runDir ?? config.runDir;
  const followsRunDir = config.socketPath === join(config.runDir, 'vmpulse.sock');
  return {
    ...config,
    runDir,
    stateDir: options.stateDir ?? config.stateDir,
    socketPath: options.socketPath ?? (followsRunDir ? join(runDir, 'vmpulse.sock') : config.socketPath),
  };
}

async function makeDir(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (cause) {
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new VmpulseError(
      'ERR_VMPULSE_SYSCALL',
      `cannot make ${path}: ${errorMessage(cause)}; run as root or name another directory`,
      {
        cause,
        details: { errno, syscall: 'mkdir' },
      },
    );
  }
}
