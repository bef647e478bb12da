import { z } from 'zod';
import type { ChannelEvent } from '../../engine/probe-engine.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import type { Reason } from '../../model/reasons.js';

/** RESET events closer together than this belong to one reset … */
const BURST_QUIET_MS = 1_000;
/** … unless it goes on for this long: then the guest resets over and over, which is worth telling. */
const BURST_MAX_MS = 5_000;
const MAX_WHY_CHARS = 200;

type MonitorState = Extract<VmmEvent, { type: 'monitor' }>['state'];

const text = z
  .string()
  .transform((value) => plainText(value, 64))
  .catch('unknown');
const yes = z.boolean().catch(false);
const ENDING = z.object({ guest: yes, reason: text });
const ACTION = z.object({ action: text });
const MIGRATION = z.object({ status: text });
const MIGRATION_OVER: ReadonlySet<string> = new Set(['none', 'completed', 'failed', 'cancelled', 'unknown']);
const IO_ERROR = z.object({ device: text, 'node-name': text, nospace: yes });

/** Translates what a monitor channel says into the words of no particular hypervisor. */
export class EventMapper {
  #monitor: MonitorState | undefined;
  #burstStartMs = Number.NEGATIVE_INFINITY;
  #lastResetMs = Number.NEGATIVE_INFINITY;

  /** Undefined: nothing that anybody has to know. Data of another shape than expected becomes `unknown`. */
  map(event: ChannelEvent): VmmEvent | undefined {
    if (event.type === 'event') return this.#mapQmp(event.name, data(event.data), event.atMs);
    // The probe of the run state says what the lost events would have said.
    if (event.type === 'dropped') return undefined;
    const state = event.type === 'connected' ? 'connected' : stateOf(event.reason);
    // A channel that tries to connect again and again reports each attempt.
    if (state === this.#monitor) return undefined;
    this.#monitor = state;
    if (event.type === 'connected') return { type: 'monitor', state };
    return { type: 'monitor', state, why: plainText(`${event.reason}: ${event.detail}`, MAX_WHY_CHARS) };
  }

  #mapQmp(name: string, fields: object, atMs: number): VmmEvent | undefined {
    switch (name) {
      case 'RESET':
        return this.#isNewReset(atMs) ? { type: 'reset', ...ENDING.parse(fields) } : undefined;
      case 'SHUTDOWN':
        return { type: 'shutdown', ...ENDING.parse(fields) };
      case 'POWERDOWN':
        return { type: 'powerdown' };
      case 'STOP':
        return { type: 'paused' };
      case 'RESUME':
        return { type: 'resumed' };
      case 'MIGRATION': {
        const { status } = MIGRATION.parse(fields);
        return { type: 'migration', active: !MIGRATION_OVER.has(status), status };
      }
      case 'WATCHDOG':
        return { type: 'watchdog', ...ACTION.parse(fields) };
      case 'GUEST_PANICKED':
        return { type: 'panicked', ...ACTION.parse(fields) };
      case 'GUEST_CRASHLOADED':
        return { type: 'crash-loaded' };
      case 'BLOCK_IO_ERROR': {
        const error = IO_ERROR.parse(fields);
        return { type: 'io-error', device: error.device || error['node-name'], noSpace: error.nospace };
      }
      default:
        return undefined;
    }
  }

  /** One reset gives one RESET or more than a hundred: the first of a burst counts. */
  #isNewReset(atMs: number): boolean {
    const isBurst = atMs - this.#lastResetMs < BURST_QUIET_MS && atMs - this.#burstStartMs < BURST_MAX_MS;
    this.#lastResetMs = atMs;
    if (!isBurst) this.#burstStartMs = atMs;
    return !isBurst;
  }
}

function stateOf(reason: Reason): MonitorState {
  if (reason === 'channel-busy') return 'busy';
  return reason === 'protocol-error' ? 'foreign' : 'lost';
}

function data(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
