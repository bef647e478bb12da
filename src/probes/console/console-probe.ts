import { errnoOf, errorMessage } from '../../model/errors.js';
import type { Outcome } from '../../model/outcome.js';
import { plainText } from '../../model/plain-text.js';
import type { ConsoleOptions } from '../../model/probe.js';
import type { ExternalProbe, ExternalSetting, Finding, LookOptions } from '../external.js';
import { type Position, type Scan, scanLog } from './scan.js';

/** Read at a look; of more, the end. */
const MAX_BYTES = 1024 * 1024;
/** Of what was written before the probe began, so much is looked at. */
const FORMER_BYTES = 256 * 1024;
/** Longest time for finding the end of the log. */
const BEGIN_MS = 5_000;
/** There was no file: all of one that comes is new. */
const NOWHERE: Position = { dev: 0, ino: 0, size: 0, offset: 0 };

const LATE: Outcome = { result: 'inconclusive', reason: 'prober-late' };
const BAD: Outcome = { result: 'failed', reason: 'bad-body' };

interface Match {
  readonly line: string;
  readonly atMs: number;
}

/** What one boot of the guest has written so far, as far as it matters. */
interface Watch {
  position: Position;
  readonly beganAtMs: number;
  grewAtMs: number;
  seen: Match | undefined;
  notSeen: Match | undefined;
}

/** Follows a log from where it ended when the probe, or the guest's boot, began. */
export class ConsoleProbe implements ExternalProbe {
  /** What is slow here is this host, not the guest. */
  readonly late = LATE;
  readonly #path: string;
  readonly #options: ConsoleOptions;
  readonly #setting: ExternalSetting;
  #watch: Promise<Watch>;
  /** Looks come one after another: each begins where the one before has ended. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, options: ConsoleOptions, setting: ExternalSetting) {
    this.#path = path;
    this.#options = options;
    this.#setting = setting;
    this.#watch = this.#begin(true);
  }

  newInstance(): void {
    this.#watch = this.#begin(false);
  }

  probe({ deadlineMs }: LookOptions): Promise<Finding> {
    const look = this.#last.then(() => this.#look(deadlineMs));
    this.#last = look.catch(() => {});
    return look;
  }

  /**
   * `counts`: what is in the log already may be of this boot. It is then enough for `seen`, but never a reason to fail:
   * nobody knows which boot wrote it. By hand there is nothing but what is there.
   */
  #begin(counts: boolean): Promise<Watch> {
    const { seen, notSeen } = this.#options;
    const { vm, clock, runInPool } = this.#setting;
    const nowMs = clock.now();
    const byHand = vm === undefined;
    const task = {
      path: this.#path,
      position: null,
      maxBytes: counts ? FORMER_BYTES : 0,
      seen: counts ? seen : undefined,
      notSeen: byHand ? notSeen : undefined,
    };
    const watch = scanLog(runInPool, task, BEGIN_MS).then(
      (scan): Watch => ({ ...newWatch(nowMs, scan.position), ...matches(scan, nowMs) }),
      (error: unknown): Watch => {
        if (byHand || !isMissing(error)) throw error;
        return newWatch(nowMs, NOWHERE);
      },
    );
    // Whoever looks hears of it.
    watch.catch(() => {});
    return watch;
  }

  async #look(deadlineMs: number): Promise<Finding> {
    const begun = this.#watch;
    const watch = await begun.catch((error: unknown) => {
      if (this.#watch === begun) this.#watch = this.#begin(true);
      throw error;
    });
    const { seen, notSeen } = this.#options;
    const task = { path: this.#path, position: watch.position, maxBytes: MAX_BYTES, seen, notSeen };
    const scan = await scanLog(this.#setting.runInPool, task, deadlineMs);
    const nowMs = this.#setting.clock.now();
    watch.position = scan.position;
    if (scan.hasGrown) watch.grewAtMs = nowMs;
    const found = matches(scan, nowMs);
    watch.seen = found.seen ?? watch.seen;
    watch.notSeen = found.notSeen ?? watch.notSeen;
    return this.#judge(watch, scan, nowMs);
  }

  #judge(watch: Watch, { skippedBytes }: Scan, nowMs: number): Finding {
    const { windowMs = Number.POSITIVE_INFINITY, seen, silentAfterMs } = this.#options;
    const isRecent = (match: Match | undefined) => match !== undefined && nowMs - match.atMs < windowMs;
    const warnings = skippedBytes > 0 ? [`${skippedBytes} bytes were written too fast to be read`] : [];
    const { notSeen } = watch;
    if (notSeen !== undefined && isRecent(notSeen))
      return { outcome: BAD, message: `the console says: ${plainText(notSeen.line)}`, warnings };
    // Without a window it must have been seen in this boot; with one, the boot itself counts as the first time.
    const isWaiting = Number.isFinite(windowMs) && nowMs - watch.beganAtMs < windowMs;
    if (seen !== undefined && !isRecent(watch.seen) && !isWaiting)
      return { outcome: BAD, message: `the console does not say ${plainText(seen)}`, warnings };
    const silentMs = nowMs - watch.grewAtMs;
    if (silentAfterMs !== undefined && silentMs >= silentAfterMs) {
      const message = `the console has been silent for ${Math.round(silentMs / 1000)} s`;
      return { outcome: { result: 'failed', reason: 'console-silent' }, message };
    }
    return { outcome: { result: 'ok' }, warnings };
  }
}

function newWatch(nowMs: number, position: Position): Watch {
  return { position, beganAtMs: nowMs, grewAtMs: nowMs, seen: undefined, notSeen: undefined };
}

function matches(scan: Scan, atMs: number): Pick<Watch, 'seen' | 'notSeen'> {
  const match = (line: string | null) => (line === null ? undefined : { line, atMs });
  return { seen: match(scan.seen), notSeen: match(scan.notSeen) };
}

function isMissing(error: unknown): boolean {
  return (errnoOf(error) || errorMessage(error)).startsWith('ENOENT');
}
