import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { nativeKernel } from './loader.js';
import { callNative } from './native-errors.js';
import type { NativeWatchdog } from './native-kernel.js';

export interface WatchdogOptions {
  /** For example `/dev/watchdog`. */
  readonly device: string;
  readonly timeoutSeconds: number;
  /** So long before the end the kernel does what its pretimeout governor says; unset: left as it is. */
  readonly pretimeoutSeconds?: number | undefined;
}

/**
 * A watchdog device of this machine, armed: whoever has it must feed it, or the machine is reset. Only disarm() ends
 * that; the end of the process does not.
 */
export class Watchdog {
  readonly #native: NativeWatchdog;

  /**
   * Throws ERR_VMPULSE_UNSUPPORTED before the device is touched where it could not be disarmed again (nowayout), and
   * ERR_VMPULSE_SYSCALL: `errno` EBUSY when another program has it, EOPNOTSUPP for a device without magic close (every
   * close stops it, also that of a crash) or without pretimeout.
   */
  constructor({ device, timeoutSeconds, pretimeoutSeconds = 0 }: WatchdogOptions) {
    assertDisarmable(device);
    this.#native = callNative(
      () => new (nativeKernel().Watchdog)(device, timeoutSeconds, pretimeoutSeconds),
      {
        EBUSY: 'another program has it; systemd does where RuntimeWatchdogSec= is set',
        EACCES: 'run as root',
        EINVAL: 'the device does not take this time',
        EOPNOTSUPP: 'the device cannot do that; choose another one, or leave pretimeout out',
      },
    );
  }

  /** What the device calls itself. Safe to show only escaped. */
  get identity(): string {
    return this.#native.identity;
  }

  /** Seconds, as the device takes them. */
  get timeoutSeconds(): number {
    return this.#native.timeout;
  }

  get closed(): boolean {
    return this.#native.closed;
  }

  /** Begins the time anew. Throws ERR_VMPULSE_CLOSED after disarm(), and ERR_VMPULSE_SYSCALL. */
  feed(): void {
    callNative(() => this.#native.feed());
  }

  /** Takes the device out of service. Idempotent. */
  disarm(): void {
    callNative(() => this.#native.disarm());
  }
}

/** What the kernel says of the device without opening it: opening arms it. */
function assertDisarmable(device: string): void {
  let nowayout: string;
  try {
    const name = basename(realpathSync(device));
    // /dev/watchdog is the first of the numbered ones.
    const folder = `/sys/class/watchdog/${name === 'watchdog' ? 'watchdog0' : name}`;
    nowayout = readFileSync(`${folder}/nowayout`, 'utf8').trim();
  } catch (cause) {
    const text = `${device}: the kernel does not say whether it could be disarmed again: ${errorMessage(cause)}`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text, { cause });
  }
  if (nowayout === '0') return;
  const text = `${device}: nowayout is set, so that nothing could disarm it again; load its module without nowayout`;
  throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
}
