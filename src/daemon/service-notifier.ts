import { sdNotify } from '../kernel/index.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';

/** Where a service manager listens, as its variables say. */
export interface NotifyOptions {
  /** NOTIFY_SOCKET. */
  readonly socket: string;
  /** WATCHDOG_USEC; unset: the service manager asks for no signs of life. */
  readonly watchdogUsec?: number;
}

/** Tells a service manager (sd_notify) how the daemon is. Does nothing where there is none; never throws. */
export class ServiceNotifier {
  readonly #options: NotifyOptions | undefined;
  readonly #logger: Logger;
  readonly #notify: typeof sdNotify;
  #watchdog: NodeJS.Timeout | undefined;
  #failed = false;

  constructor(options: NotifyOptions | undefined, logger: Logger, notify = sdNotify) {
    this.#options = options;
    this.#logger = logger;
    this.#notify = notify;
  }

  /** Start-up or reload is over. From then on the main loop gives signs of life where they are asked for. */
  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${status}`);
    const { watchdogUsec } = this.#options ?? {};
    if (watchdogUsec === undefined || this.#watchdog) return;
    this.#watchdog = setInterval(() => this.#send('WATCHDOG=1'), watchdogUsec / 2_000).unref();
  }

  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#send('STOPPING=1');
  }

  #send(message: string): void {
    if (!this.#options) return;
    try {
      this.#notify(this.#options.socket, message);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        this.#logger.warn({ error: errorMessage(error) }, 'the service manager cannot be told');
      this.#failed = true;
    }
  }
}
