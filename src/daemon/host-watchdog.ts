import { Watchdog } from '../kernel/index.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { type Stuck, whyStuck } from './progress.js';

/** Fed so often within its time. */
const FEEDS = 4;

export interface HostWatchdogOptions {
  readonly device: string;
  readonly timeoutMs: number;
  readonly pretimeoutMs?: number | undefined;
  readonly stuck: Stuck;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Feeds a watchdog of this host while the supervisor makes progress: a host whose vmpulse hangs or is gone for longer than
 * the time-out is reset by its hardware (self-fencing). Armed from its making on, until close().
 */
export class HostWatchdog {
  readonly #options: HostWatchdogOptions;
  readonly #watchdog: Watchdog;
  readonly #periodMs: number;
  #starving = false;
  #cancel: () => void = () => {};

  /** Throws as Watchdog does. */
  constructor(options: HostWatchdogOptions) {
    const { device, timeoutMs, pretimeoutMs, logger } = options;
    this.#options = options;
    this.#watchdog = new Watchdog({
      device,
      timeoutSeconds: Math.round(timeoutMs / 1000),
      pretimeoutSeconds: pretimeoutMs === undefined ? undefined : Math.round(pretimeoutMs / 1000),
    });
    const { identity, timeoutSeconds } = this.#watchdog;
    this.#periodMs = (timeoutSeconds * 1000) / FEEDS;
    logger.warn({ device, identity, timeoutSeconds }, 'the host watchdog is armed');
    this.#turn();
  }

  /** Disarms the device. Idempotent. */
  close(): void {
    this.#cancel();
    this.#watchdog.disarm();
  }

  #turn(): void {
    const { clock } = this.#options;
    this.#feed();
    this.#cancel = clock.at(clock.now() + this.#periodMs, () => this.#turn());
  }

  #feed(): void {
    const { stuck, logger } = this.#options;
    const why = whyStuck(stuck);
    if (why === undefined) {
      this.#starving = false;
      try {
        this.#watchdog.feed();
      } catch (error) {
        logger.error({ error: errorMessage(error) }, 'the host watchdog cannot be fed');
      }
      return;
    }
    if (!this.#starving)
      logger.error({ why }, 'the host watchdog is not fed any more: vmpulse makes no progress');
    this.#starving = true;
  }
}
