import type { Outcome } from '../../model/outcome.js';
import type { VcpuReading } from '../../model/vcpu.js';
import type { ExternalProbe, ExternalSetting, Finding, LookOptions } from '../external.js';
import { compare, type Motion } from './compare.js';

const UNKNOWN: Outcome = { result: 'inconclusive', reason: 'prober-resources' };
const LATE: Outcome = { result: 'inconclusive', reason: 'prober-late' };
const STALLED: Outcome = { result: 'failed', reason: 'vcpu-stalled' };

/** Looks further apart than so many periods have something between them (a pause, a suspended host) that explains them. */
const GAP_PERIODS = 3;
/** A stall needs so many windows in a row, however long one is. */
const WINDOWS = 2;

const SOURCE_TEXT: Readonly<Record<VcpuReading['source'], string>> = {
  injections: 'interrupts injected by KVM',
  registers: 'interrupt flags of the vCPUs',
  threads: 'threads of the vCPUs',
};

interface Look {
  readonly reading: VcpuReading;
  readonly atMs: number;
}

/** Compares looks at the vCPUs of one boot. What it cannot tell is inconclusive, never failed. */
export class ProgressProbe implements ExternalProbe {
  /** Reading is what was slow, not the guest. */
  readonly late = LATE;
  readonly #stalledAfterMs: number;
  readonly #setting: ExternalSetting;
  #last: Look | undefined;
  /** Where nothing ever moved in this boot, zero may be how this host counts. */
  #hasMoved = false;
  #still: { readonly sinceMs: number; windows: number } | undefined;

  constructor(stalledAfterMs: number, setting: ExternalSetting) {
    this.#stalledAfterMs = stalledAfterMs;
    this.#setting = setting;
  }

  newInstance(): void {
    this.#last = undefined;
    this.#hasMoved = false;
    this.#still = undefined;
  }

  async probe({ deadlineMs, signal }: LookOptions): Promise<Finding> {
    const { vcpus, clock, timing } = this.#setting;
    const reading = await vcpus?.({ deadlineMs, signal });
    if (reading === undefined) {
      this.#still = undefined;
      this.#last = undefined;
      return { outcome: UNKNOWN, message: 'this host has no source that tells what the vCPUs do' };
    }
    const look = { reading, atMs: clock.now() };
    const before = this.#last;
    this.#last = look;
    const source = SOURCE_TEXT[reading.source];
    if (before === undefined || look.atMs - before.atMs > GAP_PERIODS * timing.periodMs) {
      this.#still = undefined;
      return { outcome: UNKNOWN, message: `first look (${source}); the next one compares` };
    }
    return this.#judge(compare(before.reading, reading, look.atMs - before.atMs), before.atMs, source);
  }

  #judge(motion: Motion, sinceMs: number, source: string): Finding {
    if (motion !== 'still') this.#still = undefined;
    if (motion === 'moving') {
      this.#hasMoved = true;
      return { outcome: { result: 'ok' }, message: `the vCPUs move (${source})` };
    }
    if (motion === 'unclear')
      return { outcome: UNKNOWN, message: `cannot tell a busy guest from a hung one (${source})` };
    this.#still ??= { sinceMs, windows: 0 };
    this.#still.windows += 1;
    const stillMs = this.#setting.clock.now() - this.#still.sinceMs;
    const lasted = `the vCPUs have taken no interrupt for ${Math.round(stillMs / 1000)} s (${source})`;
    if (!this.#hasMoved)
      return { outcome: UNKNOWN, message: `${lasted}, nor before in this boot: that may be how they count` };
    if (this.#still.windows < WINDOWS || stillMs < this.#stalledAfterMs)
      return { outcome: UNKNOWN, message: `${lasted}; not long enough yet` };
    return { outcome: STALLED, message: lasted };
  }
}
