// How long the event loop did not come round: by the clock, and what this thread itself took of a core meanwhile. On a
// machine that others use, too, the clock alone also counts what they took.
import { closeSync, openSync, readSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

const LOOK_EVERY_MS = 1;

export class StallMeter {
  #file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  #text = Buffer.alloc(64);
  #delay = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS });
  #cpuMs = 0;
  #gcMs = 0;
  #lastMs = this.#ownMs();
  #timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  #collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) this.#gcMs = Math.max(this.#gcMs, duration);
  });

  constructor() {
    this.#delay.enable();
    this.#collections.observe({ entryTypes: ['gc'] });
  }

  /** The longest of each, ms: time between two rounds of the loop, on-CPU time of this thread between two, one garbage collection. */
  stop() {
    this.#look();
    clearInterval(this.#timer);
    this.#delay.disable();
    this.#collections.disconnect();
    closeSync(this.#file);
    return { stallMs: this.#delay.max / 1e6, cpuMs: this.#cpuMs, gcMs: this.#gcMs };
  }

  #look() {
    const ownMs = this.#ownMs();
    this.#cpuMs = Math.max(this.#cpuMs, ownMs - this.#lastMs);
    this.#lastMs = ownMs;
  }

  /** On-CPU time of this thread so far; while it runs the kernel counts it with each tick of the scheduler, 1 to 4 ms. */
  #ownMs() {
    const bytes = readSync(this.#file, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString('latin1', 0, bytes).split(' ')[0]) / 1e6;
  }
}
