import { join } from 'node:path';
import { destination, type Logger as Pino, pino } from 'pino';
import type { DaemonConfig, LoadedConfig } from '../config/index.js';
import type { AskAddresses } from '../discovery/index.js';
import { Lifecycle } from '../lifecycle/index.js';
import { systemClock } from '../model/clock.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { Turns } from '../model/turns.js';
import { type ObservableJournal, openJournal } from '../runtime/journal/index.js';
import { createMetrics } from '../runtime/metrics/metrics.js';
import type { ReloadView } from '../runtime/views.js';
import type { Vmpulse } from '../runtime/vmpulse.js';
import { TokenStore } from './access/token-store.js';
import { type ConfigPaths, ConfigSource } from './config-source.js';
import { createRuntime } from './create-runtime.js';
import { missingOnHost } from './host-checks.js';
import { HostWatchdog } from './host-watchdog.js';
import { alwaysTaken, begin, checkAll, type LivePart, prepareAll } from './live.js';
import { LivePush } from './metrics-push.js';
import { Owned } from './owned.js';
import { type ReloadedView, type Reloading, reloadView } from './reload-view.js';
import { serveApi } from './serve-api.js';
import { type NotifyOptions, ServiceNotifier } from './service-notifier.js';
import { agentCheckPort, heartbeatPort } from './side-ports.js';
import { takeFolders } from './state-dir.js';
import { createTelling } from './telling.js';

export interface DaemonOptions extends ConfigPaths {
  /** The configuration file. */
  readonly configPath: string;
  /** There need not be one: then what is found on the host is watched, beside what is applied. Default false. */
  readonly discover?: boolean;
  /** The service manager that wants to be told, if any. */
  readonly notify?: NotifyOptions;
  /** The value of a variable of the environment, where the configuration names one for a secret; default none. */
  readonly variable?: (name: string) => string | undefined;
}

/** Longest wait for what a plan has come to to be durable, ms. */
const JOURNAL_MS = 5_000;

/**
 * One vmpulse daemon: configuration, lock of the state directory, journal, runtime, API. Takes no signals; whoever
 * starts it calls reload() and close(). VMMs run on when it ends.
 */
export class Daemon {
  readonly config: DaemonConfig;
  readonly #source: ConfigSource;
  readonly #logger: Pino;
  readonly #started: LoadedConfig;
  /** What holds now. */
  #loaded: LoadedConfig;
  readonly #notifier: ServiceNotifier;
  readonly #variable: (name: string) => string | undefined;
  readonly #stop = new AbortController();
  readonly #owned: Owned;
  /** What takes new settings while it runs. */
  readonly #live: LivePart[] = [];
  #vmpulse: Vmpulse | undefined;
  readonly #turns = new Turns();
  #closing: Promise<void> | undefined;

  private constructor(options: DaemonOptions, source: ConfigSource, loaded: LoadedConfig) {
    this.#source = source;
    this.#started = loaded;
    this.#loaded = loaded;
    this.config = loaded.config;
    const stderr = destination({ dest: 2, sync: true });
    // A full disk under the log does not end the daemon.
    stderr.on('error', () => {});
    this.#logger = pino({ level: this.config.logLevel, base: null }, stderr);
    this.#owned = new Owned(this.#logger);
    this.#variable = options.variable ?? (() => undefined);
    this.#notifier = new ServiceNotifier(options.notify, this.#logger);
  }

  /**
   * Starts a daemon and resolves once it watches its VMs and answers on its socket. When anything fails, everything is
   * let go again. Errors: ERR_VMPULSE_CONFIG, ERR_VMPULSE_LOCKED, ERR_VMPULSE_ADDRESS_IN_USE,
   * ERR_VMPULSE_JOURNAL_VERSION, ERR_VMPULSE_NATIVE, ERR_VMPULSE_SYSCALL.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { configPath, discover = false } = options;
    const source = await ConfigSource.open(configPath, discover, options);
    let daemon: Daemon;
    try {
      daemon = new Daemon(options, source, await source.load());
    } catch (error) {
      await source.close();
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
   * ERR_VMPULSE_TIMEOUT of loadConfig, ERR_VMPULSE_ADDRESS_IN_USE and ERR_VMPULSE_SYSCALL where it names an address or a
   * group that cannot be had, ERR_VMPULSE_CLOSED.
   */
  reload(): Promise<ReloadedView> {
    return this.#turns.take(async () => {
      try {
        return await this.#reload();
      } catch (error) {
        const why = `the configuration was not reloaded; the former one stays: ${errorMessage(error)}`;
        if (this.#closing) this.#logger.error({}, why);
        else this.#vmpulse?.degrade('configuration', why);
        throw error;
      }
    });
  }

  /** What reload() would change. Rejects with what it would, addresses and certificates included; changes nothing. */
  previewReload(): Promise<ReloadedView> {
    // A reload at the same time would find the addresses taken that are tried here.
    return this.#turns.take(async () => {
      this.#requireOpen();
      const next = await this.#read();
      await checkAll(this.#live, next.config);
      return reloadView(this.#reloading(next));
    });
  }

  /** Lets go of everything; VMMs run on. Idempotent, ends in bounded time. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #start(): Promise<void> {
    const { config } = this;
    const owned = this.#owned;
    const logger = this.#logger;
    const folders = await takeFolders(config.stateDir, config.runDir);
    owned.add('lock', () => folders.close());
    owned.add('search for VMs', () => this.#source.close());
    const path = join(config.stateDir, 'journal.db');
    const journal = await openJournal({ path, ...config.journal, logger });
    owned.add('journal', () => journal.close());
    const metrics = createMetrics({ seedNames: config.metrics.seedNames });
    const { vms } = this.#started;
    const vmpulse = createRuntime({ config, vms, journal, metrics, logger }, owned);
    const lifecycle = this.#createLifecycle(vmpulse, journal);
    const variable = this.#variable;
    const telling = createTelling({ config, runtime: vmpulse, metrics, clock: systemClock, variable });
    owned.add('notifications', () => telling.close());
    const tokens = new TokenStore(journal);
    const served = {
      ...{ runtime: vmpulse, lifecycle, notifier: telling.notifier, tokens, logger, run: Date.now() },
      reload: ({ dryRun }: { readonly dryRun: boolean }) => (dryRun ? this.previewReload() : this.reload()),
      isReady: () => this.#vmpulse !== undefined,
      signal: this.#stop.signal,
    };
    // Addresses of networks that are new are listened on by those that come after.
    this.#live.push(networksFirst(vmpulse), ...(await serveApi(config, served, owned)));
    const push = new LivePush(config, vmpulse, metrics);
    owned.add('push of metrics', () => push.close());
    this.#live.push(
      telling,
      telling.report,
      push,
      alwaysTaken(({ metrics: { seedNames } }) => metrics.useSeedNames(seedNames)),
      alwaysTaken(({ hooks }) => vmpulse.hooks.configure(hooks)),
      alwaysTaken(({ logLevel }) => {
        logger.level = logLevel;
      }),
    );
    for (const warning of this.#started.warnings) logger.warn({}, warning);
    for (const { what, why } of missingOnHost()) vmpulse.degrade(what, why);
    this.#tellSetAside(vmpulse);
    await telling.start();
    await vmpulse.start();
    telling.started();
    // Now that the networks are there whose addresses guests know, and the list of endpoints.
    const ports = [
      ['heartbeat port', heartbeatPort(served)],
      ['agent check', agentCheckPort(vmpulse)],
    ] as const;
    for (const [name, port] of ports) {
      owned.add(name, () => port.close());
      await begin(port, config);
      this.#live.push(port);
    }
    await begin(push, config);
    this.#armWatchdog(vmpulse);
    this.#vmpulse = vmpulse;
    await lifecycle.start();
    this.#notifier.ready(watching(vms.length));
    this.#notifier.watch(() => vmpulse.stuck());
    logger.info({ socket: config.socketPath, vms: vms.length }, 'ready');
    const { search } = this.#source;
    if (search === undefined) return;
    logger.info({}, 'there is no configuration: what is found on this host is watched, and not acted on');
    const ask: AskAddresses = (name, call) => vmpulse.guests.addresses(`default/${name}`, call);
    search.follow(() => this.reload(), ask, logger);
  }

  #createLifecycle(runtime: Vmpulse, journal: ObservableJournal): Lifecycle {
    const { path, search } = this.#source;
    const lifecycle = new Lifecycle({
      configPath: path,
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
    this.#owned.add('plans', () => lifecycle.close());
    return lifecycle;
  }

  /** The last thing to begin and the first to end: an orderly stop disarms it. */
  #armWatchdog(vmpulse: Vmpulse): void {
    const { hostWatchdog } = this.config;
    if (hostWatchdog === undefined) return;
    const stuck = () => vmpulse.stuck();
    const watchdog = new HostWatchdog({ ...hostWatchdog, stuck, clock: systemClock, logger: this.#logger });
    this.#owned.add('host watchdog', () => watchdog.close());
  }

  async #reload(): Promise<ReloadedView> {
    const vmpulse = this.#requireOpen();
    this.#notifier.reloading();
    try {
      const next = await this.#read();
      const applied = await this.#apply(next, vmpulse);
      const view = reloadView(this.#reloading(next), applied);
      this.#loaded = next;
      this.#tellSetAside(vmpulse);
      vmpulse.mend('configuration');
      for (const warning of view.warnings) this.#logger.warn({}, warning);
      return view;
    } finally {
      this.#notifier.ready(watching(vmpulse.view().vms.length));
    }
  }

  /** All of it or nothing: what can fail comes before what has an effect. */
  async #apply({ config, vms }: LoadedConfig, vmpulse: Vmpulse): Promise<Omit<ReloadView, 'warnings'>> {
    const prepared = await prepareAll(this.#live, config);
    const host = { networks: config.networks, policy: config.limits };
    const applied = await vmpulse.apply(vms, host).catch(async (error: unknown) => {
      await prepared.discard();
      throw error;
    });
    await prepared.commit();
    return applied;
  }

  #requireOpen(): Vmpulse {
    if (this.#vmpulse && !this.#closing) return this.#vmpulse;
    const text = 'the daemon is starting or ending; try again once it is ready';
    throw new VmpulseError('ERR_VMPULSE_CLOSED', text);
  }

  #reloading(next: LoadedConfig): Reloading {
    return { started: this.#started, before: this.#loaded, next, stays: this.#source.stays(next) };
  }

  #read(): Promise<LoadedConfig> {
    return this.#source.load(this.config.stateDir, this.#stop.signal);
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
    this.#owned.add('reload', () => this.#turns.idle());
    await this.#owned.letGo();
  }
}

/** Bridges that a configuration needs, made before it holds; what they are for is applied with the VMs. */
function networksFirst({ network }: Vmpulse): LivePart {
  return {
    check: async () => {},
    prepare: async ({ networks }) => ({ commit: () => {}, discard: network.begin(networks) }),
  };
}

function watching(vms: number): string {
  return `watching ${vms} VMs`;
}
