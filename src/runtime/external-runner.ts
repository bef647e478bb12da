import { setMaxListeners } from 'node:events';
import type { Due, ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { given } from '../model/given.js';
import { type ExternalProbe, type Finding, type LookOptions, lookOnce } from '../probes/external.js';

/** Looks under way at once; further ones wait for their turn, within their time. */
const MAX_AT_ONCE = 64;
/** What is kept of a probe's time so that its answer reaches the engine before the deadline: a tenth, at most this. */
const MAX_MARGIN_MS = 250;
/** How long what was begun may take to end when everything is closed, ms. */
const CLOSE_MS = 1_000;

const LATE: Finding = { outcome: { result: 'inconclusive', reason: 'prober-late' } };

/** Lets external probes look when the engine says that they are due, and tells it what they found. */
export class ExternalRunner {
  readonly #engine: ProbeEngine;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** Probes under way, also those whose answer nobody waits for any more. */
  readonly #begun = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #looking = 0;

  constructor(engine: ProbeEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
    // Every look under way listens.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Answers a `due`. Never rejects. */
  async answer(due: Due, probe: ExternalProbe, timeoutMs: number): Promise<Finding> {
    const startedAtMs = this.#clock.now();
    const marginMs = Math.min(MAX_MARGIN_MS, timeoutMs / 10);
    const finding = await this.ask(probe, Math.min(timeoutMs, due.deadlineMs - startedAtMs) - marginMs);
    if (!this.#closing.signal.aborted) {
      this.#engine.report(due.handle, due.epoch, finding.outcome, this.#clock.now() - startedAtMs);
    }
    return finding;
  }

  /** Looks once, outside the schedule. Never rejects. */
  async ask(probe: ExternalProbe, timeoutMs: number): Promise<Finding> {
    const endsAtMs = this.#clock.now() + timeoutMs;
    if (this.#looking >= MAX_AT_ONCE) await this.#turn(endsAtMs);
    const leftMs = endsAtMs - this.#clock.now();
    if (leftMs <= 0 || this.#looking >= MAX_AT_ONCE) return LATE;
    this.#looking += 1;
    try {
      const { late } = probe;
      const tracked = {
        probe: (options: LookOptions) => this.#track(probe.probe(options)),
        ...given({ late }),
      };
      return await lookOnce(tracked, {
        timeoutMs: leftMs,
        clock: this.#clock,
        signal: this.#closing.signal,
      });
    } finally {
      this.#looking -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Withdraws every look and waits, for a bounded time, until what they began has ended. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([Promise.allSettled(this.#begun), late]);
    clearTimeout(timer);
  }

  #track<T>(begun: Promise<T>): Promise<T> {
    const forget = () => {
      this.#begun.delete(begun);
    };
    this.#begun.add(begun);
    begun.then(forget, forget);
    return begun;
  }

  /** Waits until a look has ended, or until the time is over. */
  #turn(endsAtMs: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        cancel();
        resolve();
      };
      const cancel = this.#clock.at(endsAtMs, () => {
        const at = this.#waiting.indexOf(go);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      });
      this.#waiting.push(go);
    });
  }
}
