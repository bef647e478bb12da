import { sdNotify } from '../kernel/index.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { plainText } from '../model/plain-text.js';
import { type Stuck, whyStuck } from './progress.js';

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
  #starving = false;
  #status = '';
  #failed = false;

  constructor(options: NotifyOptions | undefined, logger: Logger, notify = sdNotify) {
    this.#options = options;
    this.#logger = logger;
    this.#notify = notify;
  }

  /** Start-up or reload is over. */
  ready(status: string): void {
    this.#status = plainText(status);
    this.#send(`READY=1\nSTATUS=${this.#status}`);
  }

  /** From now on gives signs of life, where they are asked for, and only while it is not stuck. */
  watch(stuck: Stuck): void {
    const { watchdogUsec } = this.#options ?? {};
    if (watchdogUsec === undefined) return;
    this.#watchdog = setInterval(() => this.#signOfLife(stuck), watchdogUsec / 2_000).unref();
  }

  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#send('STOPPING=1');
  }

  #signOfLife(stuck: Stuck): void {
    const why = whyStuck(stuck);
    if (why === undefined) {
      if (this.#starving) this.#send(`STATUS=${this.#status}`);
      this.#send('WATCHDOG=1');
    } else if (!this.#starving) {
      this.#logger.error(
        { why },
        'the service manager gets no sign of life any more: vmpulse makes no progress',
      );
      this.#send(`STATUS=no progress: ${plainText(why)}`);
    }
    this.#starving = why !== undefined;
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
