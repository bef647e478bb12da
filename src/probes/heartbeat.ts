import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';
import type { Outcome } from '../model/outcome.js';
import type { ProbeCheck } from '../model/probe.js';
import type { Beat, ExternalProbe, ExternalSetting, Finding } from './external.js';
import { defineKind } from './probe-kind.js';

type HeartbeatCheck = Extract<ProbeCheck, { kind: 'heartbeat' }>;

/** Waits for the guest to say by itself that it is well; ok when it did so within the period. */
export const heartbeat = defineKind<HeartbeatCheck>({
  kind: 'heartbeat',
  aliases: [],
  summary: 'waits for a sign of life that the guest sends to the daemon; not by hand',
  targetHelp: 'none, see vmpulse vm heartbeat-token',
  schema: z.strictObject({}).transform((): HeartbeatCheck => ({ kind: 'heartbeat' })),
  parseTarget: () => {
    throw new VmpulseError(
      'ERR_VMPULSE_USAGE',
      'a heartbeat is sent by the guest and cannot be asked for; vmpulse status shows whether it comes',
    );
  },
  lookups: () => ({}),
  open: (_check, setting) => new HeartbeatProbe(setting),
  label: () => 'heartbeat',
});

const WAITING: Outcome = { result: 'inconclusive', reason: 'suspended' };

class HeartbeatProbe implements ExternalProbe {
  readonly #setting: ExternalSetting;
  #sinceMs: number;
  #last: Beat | undefined;

  constructor(setting: ExternalSetting) {
    this.#setting = setting;
    this.#sinceMs = setting.clock.now();
  }

  newInstance(): void {
    this.#sinceMs = this.#setting.clock.now();
    this.#last = undefined;
  }

  heartbeat(beat: Beat): void {
    this.#last = beat;
  }

  async probe(): Promise<Finding> {
    const { clock, timing } = this.#setting;
    // Who sends once a period may be a little late.
    const withinMs = timing.periodMs + timing.timeoutMs;
    const last = this.#last;
    const silentMs = clock.now() - (last?.atMs ?? this.#sinceMs);
    if (silentMs > withinMs) {
      const message = `no heartbeat for ${Math.round(silentMs / 1000)} s`;
      return { outcome: { result: 'failed', reason: 'no-reply' }, message };
    }
    if (last === undefined) return { outcome: WAITING, message: 'no heartbeat yet' };
    const said = last.message === '' ? {} : { message: last.message };
    if (last.status === 'critical') return { outcome: { result: 'failed', reason: 'bad-status' }, ...said };
    const warnings = last.status === 'warning' ? [last.message || 'warning'] : [];
    return { outcome: { result: 'ok' }, warnings, ...said };
  }
}
