/** Keys that are remembered at once; the one that came first is forgotten for another. */
const MAX_KEYS = 10_000;

export interface RateLimitOptions {
  /** So many at once. */
  readonly burst: number;
  /** So many again in a second. */
  readonly perSecond: number;
  /** Milliseconds that only go forward; default the process's own. */
  readonly nowMs?: () => number;
}

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** A token bucket for each key. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Takes one, and says how long to wait where there is none, in whole seconds; 0: it was taken. */
  take(key: string): number {
    const { burst, perSecond, nowMs = () => performance.now() } = this.#options;
    const now = nowMs();
    const { tokens, atMs } = this.#buckets.get(key) ?? { tokens: burst, atMs: now };
    const there = Math.min(burst, tokens + ((now - atMs) / 1000) * perSecond);
    const isTaken = there >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: isTaken ? there - 1 : there, atMs: now });
    this.#forget();
    return isTaken ? 0 : Math.ceil((1 - there) / perSecond);
  }

  #forget(): void {
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_KEYS) return;
      this.#buckets.delete(key);
    }
  }
}
