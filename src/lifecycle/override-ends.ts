import type { LoadedConfig, Override } from '../config/index.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { plainText } from '../model/plain-text.js';
import type { VmId } from '../model/vm.js';
import { nameOf } from './setting-change.js';

export interface OverrideEndsOptions {
  /** What holds now. */
  readonly loaded: () => LoadedConfig;
  /** Has whoever runs the VMs read the whole configuration again. */
  readonly reload: () => Promise<unknown>;
  readonly record: (vm: VmId | null, text: string, data: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Writes the file of overrides anew, without those that have ended. */
  readonly forgetEnded: () => Promise<void>;
  /** Does work when nobody else changes the configuration. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  readonly degrade: (what: string, why: string | undefined) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEGRADATION = 'override-end';
/** After this an end that could not take effect is tried again, ms. */
const AGAIN_MS = 60_000;

/** Ends by itself what was set for a time. */
export class OverrideEnds {
  readonly #options: OverrideEndsOptions;
  #cancel: () => void = () => {};
  #closed = false;
  /** The running configuration does not know of them any more, and that they ended is not on record yet. */
  #unrecorded: readonly Override[] = [];

  constructor(options: OverrideEndsOptions) {
    this.#options = options;
  }

  /** Forgets what ended while no daemon ran, and begins to wait. `all`: those of the file, ended or not. */
  async start(all: readonly Override[]): Promise<void> {
    const nowMs = this.#options.clock.now();
    if (all.some((each) => isOver(each, nowMs))) await this.#options.inTurn(() => this.#end(all, false));
    else this.wait();
  }

  /** Waits for the next end of those that are there now, at the earliest until `fromMs`. */
  wait(fromMs = this.#options.clock.now()): void {
    this.#cancel();
    if (this.#unrecorded.length > 0) {
      const againMs = this.#options.clock.now() + AGAIN_MS;
      this.#at(againMs, () => this.#end(this.#unrecorded, false));
      return;
    }
    const { inForce, setAside, idle } = this.#options.loaded().overrides;
    const all = [...inForce, ...setAside.map(({ override }) => override), ...idle];
    const ends = all.flatMap(({ untilMs }) => untilMs ?? []);
    if (ends.length === 0) return;
    this.#at(Math.max(fromMs, Math.min(...ends)), () => this.#end(all, true));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #at(atMs: number, work: () => Promise<void>): void {
    const { clock, inTurn } = this.#options;
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = clock.at(atMs, () => void inTurn(work));
  }

  /** `inForce`: the running configuration has them still. Never rejects. */
  async #end(known: readonly Override[], inForce: boolean): Promise<void> {
    const { clock, reload, record, forgetEnded, logger, degrade } = this.#options;
    const over = known.filter((each) => isOver(each, clock.now()));
    let taken = !inForce;
    try {
      if (inForce && over.length > 0) await reload();
      taken = true;
      for (const each of over) {
        const data = { verb: 'config-end', author: each.author, path: each.path };
        await record(each.vm, `${nameOf(each)}, set by ${each.author}, has ended`, data);
      }
      if (over.length > 0) await forgetEnded();
      degrade(DEGRADATION, undefined);
      this.#unrecorded = [];
      this.wait();
    } catch (error) {
      const what = taken ? 'that cannot be recorded' : 'it cannot be taken back yet';
      const why = `what was set for a time has ended, and ${what}: ${plainText(errorMessage(error), 1000)}`;
      logger.error({}, why);
      degrade(DEGRADATION, why);
      if (taken) this.#unrecorded = over;
      this.wait(clock.now() + AGAIN_MS);
    }
  }
}

function isOver({ untilMs }: Override, nowMs: number): boolean {
  return untilMs !== null && untilMs <= nowMs;
}
